"""Locks: one process at a time, none left by a process that was killed, those who wait say so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kinesight.types.errors import DataError
from kinesight.types.locks import held_elsewhere, lock_if_free, waited_for

HOLD = """
import sys
from pathlib import Path
from kinesight.types.locks import waited_for
with waited_for(Path(sys.argv[1]), "the thing"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(file: Path) -> subprocess.Popen[str]:
    """A process that holds the lock, as soon as it can, until its input ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", HOLD, str(file)], text=True, **pipes)


def test_a_killed_process_leaves_no_lock(tmp_path):
    file = tmp_path / "locks" / "a"
    assert not held_elsewhere(file)
    with holder(file) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert held_elsewhere(file)
        with lock_if_free(file) as free:
            assert not free
        other.kill()
    assert not held_elsewhere(file)
    with lock_if_free(file) as free:
        assert free


def test_who_waits_says_for_what_and_gets_it(tmp_path):
    file = tmp_path / "a"
    with lock_if_free(file):
        other = holder(file)
        assert other.stderr is not None
        assert other.stderr.readline() == f"the thing: waiting for another process, which holds {file}\n"
    told, _ = other.communicate()
    assert (told, other.returncode) == ("held\n", 0)


def test_locks_of_several_files_are_independent_and_given_back(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"

    def fails() -> None:
        with lock_if_free(one) as first, lock_if_free(two) as second:
            assert (first, second) == (True, True)
            assert held_elsewhere(one)  # also for another part of the same process
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    assert not held_elsewhere(one)
    assert not held_elsewhere(two)


def test_what_cannot_be_written_needs_no_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with waited_for(tmp_path / "a", "a data set on a read-only disk"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_lock_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Cannot make .*file"), lock_if_free(tmp_path / "file" / "lock"):
        pass
