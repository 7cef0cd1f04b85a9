"""One workspace with a finished quickstart of the tiny recipe, and a way to run commands in it."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chat"))

from kinesight.cli.main import main

QUICKSTART = ("quickstart", "--recipe", "spatial-policy-tiny", "--set", "evaluation.limit=12")


@dataclass(frozen=True)
class Outcome:
    """What a command left in the shell."""

    status: int
    out: str
    err: str


def run_main(*words: str) -> int:
    """The exit status of a command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["kinesight", *words])
        try:
            main()
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `data/` and the run `tiny`, all rows measured; workers stay in this process."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("kinesight.experiments.training.processes", lambda: 1)
        patch.setattr("kinesight.experiments.quickstart.processes", lambda: 1)
        assert run_main(*QUICKSTART, "--full", "--out", "tiny") == 0
        yield folder


Command = Callable[..., Outcome]


@pytest.fixture
def kinesight(workspace: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`kinesight("plan", "--task", "push")` in the workspace."""
    return _command(workspace, capfd, monkeypatch)


@pytest.fixture
def elsewhere(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same in an empty folder."""
    return _command(tmp_path, capfd, monkeypatch)


def _command(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    capfd.readouterr()

    def run(*words: object) -> Outcome:
        status = run_main(*map(str, words))
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run
