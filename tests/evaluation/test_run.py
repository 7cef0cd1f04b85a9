"""From cases to results with their origin; who counts as the same agent when a run is resumed."""

import functools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation_toys import Crasher, Pusher, ToyWorld

from kinesight.evaluation.journal import FILE_NAME
from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import read_results
from kinesight.evaluation.rollout import cases
from kinesight.evaluation.run import Subject, run_evaluation
from kinesight.types.errors import InUse, UsageError
from kinesight.types.locks import LOCK, lock_if_free

CASES = cases("toy", ("rise",), range(3), ("corner",), "shifted")
SUBJECT = Subject("pusher", checkpoints={"policy": "3f9a"}, privileged=("scene",))


def test_results_say_where_they_come_from(tmp_path: Path) -> None:
    results = run_evaluation(
        tmp_path, SUBJECT, Pusher, ToyWorld, CASES, command="kinesight …", progress=False
    )
    assert (results.agent, results.protocol, results.command) == ("pusher", "shifted", "kinesight …")
    assert results.checkpoints == {"policy": "3f9a"}
    assert results.privileged == ("scene",)
    write_report(tmp_path, results)
    assert read_results(tmp_path) == results


def test_only_the_same_agent_and_limit_are_resumed(tmp_path: Path) -> None:
    run = functools.partial(run_evaluation, tmp_path, make_environment=ToyWorld, cases=CASES, progress=False)
    first = run(SUBJECT, Pusher)
    dead = functools.partial(Crasher, 0, tmp_path / "never")
    assert run(SUBJECT, dead).episodes == first.episodes
    with pytest.raises(KeyboardInterrupt, match="power"):
        run(replace(SUBJECT, checkpoints={"policy": "b71e"}), dead)
    with pytest.raises(KeyboardInterrupt, match="power"):
        run(SUBJECT, dead, limit=3)
    assert all(episode.steps <= 3 for episode in run(SUBJECT, Pusher, limit=3).episodes)


def test_one_evaluation_at_a_time(tmp_path: Path) -> None:
    run = functools.partial(run_evaluation, tmp_path, make_environment=ToyWorld, cases=CASES, progress=False)
    with pytest.raises(KeyboardInterrupt, match="power"):
        run(SUBJECT, functools.partial(Crasher, 0, tmp_path / "never"))
    with lock_if_free(tmp_path / LOCK) as free:  # given back by the one that was interrupted
        assert free
        with pytest.raises(InUse, match=f"{re.escape(str(tmp_path))} is in use: .* --out DIR"):
            run(SUBJECT, Pusher)
        assert not (tmp_path / FILE_NAME).exists()
    assert len(run(SUBJECT, Pusher).episodes) == len(CASES)


def test_a_protocol_needs_a_name_where_starts_are_mixed(tmp_path: Path) -> None:
    mixed = [CASES[0], replace(CASES[1], start="standard")]
    with pytest.raises(UsageError, match="shifted and standard need a protocol's name"):
        run_evaluation(tmp_path, SUBJECT, Pusher, ToyWorld, mixed, progress=False)
    with pytest.raises(UsageError, match="one case at least"):
        run_evaluation(tmp_path, SUBJECT, Pusher, ToyWorld, [], progress=False)
