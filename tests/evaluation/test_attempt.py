"""An episode that raises is a failure of its own; what says something about the set-up stops everything."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from evaluation_toys import Killed, Pusher, Stumbler, ToyWorld, Unsettled

from kinesight.cli.compare import compare
from kinesight.cli.console import show_results
from kinesight.data.parallel import WorkerDied
from kinesight.evaluation.attempt import attempt
from kinesight.evaluation.errors import LONGEST
from kinesight.evaluation.gallery import read_items
from kinesight.evaluation.journal import Journal
from kinesight.evaluation.recording import Recording, write_video
from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import Results, read_results, summarize, write_results
from kinesight.evaluation.rollout import BrokenSetUp, cases, evaluate
from kinesight.types.errors import MissingDependency, UsageError
from kinesight.types.results import EpisodeResult

CASES = cases("toy", ("rise", "climb"), range(4), ("corner",), "shifted")
RECORDING = Recording(every=2, size=32, successes=9, failures=9)
LOST = functools.partial(Stumbler, (1,), ValueError("lost\n the way"))
ALWAYS_LOST = functools.partial(Stumbler, tuple(range(9)), ValueError("lost"))
OUT_OF_MEMORY = torch.OutOfMemoryError("no room")


def timeless(results: Sequence[EpisodeResult]) -> list[EpisodeResult]:
    return [replace(result, timings_s={}) for result in results]


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file())


def test_an_agent_that_raises_costs_its_own_episode(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a1")
    found = evaluate(LOST, ToyWorld, CASES, journal=journal, recording=RECORDING, progress=False)
    whole = evaluate(Pusher, ToyWorld, CASES, progress=False)
    for result, other in zip(timeless(found), timeless(whole), strict=True):
        if result.case.seed != 1:
            assert result == other
            continue
        assert other.success
        assert (result.success, result.steps) == (False, 2)
        last = result.events[-1]
        assert (last.step, last.kind, last.reason) == (2, "error", "ValueError: lost the way")
        assert result.events[:-1] == other.events[: len(result.events) - 1], "what came before is kept"
        assert result.counts == {"videos": 1, "error": 1, "rejected": 0}
    assert files(tmp_path / "errors") == ["climb-1-corner-shifted.txt", "rise-1-corner-shifted.txt"]
    trace = (tmp_path / "errors/rise-1-corner-shifted.txt").read_text()
    assert "in act" in trace
    assert "ValueError: lost" in trace


def test_its_recording_shows_what_was_seen_until_then(tmp_path: Path) -> None:
    attempt(CASES[1], ToyWorld, LOST(), out=tmp_path, recording=RECORDING)
    (item,) = read_items(tmp_path)
    assert (item.success, item.steps, item.events[-1].kind) == (False, 2, "error")
    assert files(tmp_path / "videos") == ["rise-1-corner-shifted.mp4"]
    with av.open(str(tmp_path / "videos/rise-1-corner-shifted.mp4")) as container:
        assert len(list(container.decode(video=0))) == 2, "at the steps 0 and 2"


def test_an_environment_that_cannot_be_reset(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a1")
    found = evaluate(Pusher, Unsettled, CASES, journal=journal, recording=RECORDING, progress=False)
    broken = [result for result in found if result.case.seed == 1]
    assert [(result.success, result.steps) for result in broken] == [(False, 0)] * 2
    assert {result.events[0].reason for result in broken} == {"DataError: every start is solved"}
    assert {item.case for item in read_items(tmp_path)} == {c for c in CASES if c.seed != 1}
    assert not any("-1-" in name for name in files(tmp_path / "videos"))


def test_it_is_not_run_again(tmp_path: Path) -> None:
    found = evaluate(LOST, ToyWorld, CASES, journal=Journal(tmp_path, "a1"), progress=False)
    dead = functools.partial(Stumbler, (0, 1, 2, 3), KeyboardInterrupt())
    assert evaluate(dead, ToyWorld, CASES, journal=Journal(tmp_path, "a1"), progress=False) == found


def test_statistics_page_and_console_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate(LOST, ToyWorld, CASES, progress=False)
    whole = evaluate(Pusher, ToyWorld, CASES, progress=False)
    results = Results("stumbler", "shifted", tuple(found))
    solved = sum(result.success for result in whole)
    assert results.success.successes == solved - 2
    assert summarize(results).errors == 2
    control = Results("pusher", "shifted", tuple(whole))
    page = write_report(tmp_path, results, [control]).read_text()
    assert read_results(tmp_path) == results
    account = "rise, seed 1, corner, after 2 steps: ValueError: lost the way"
    assert "<h2>Ended by an error</h2>" in page
    assert page.count(account) == 1, "equal errors stand in one line"
    assert "2 ×" in page
    show_results({"agent": results, "pusher": control})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "error" in line]
    assert line.endswith(
        f"agent: 2 of 8 episodes ended by an error, which counts as failure; the first: {account}"
    )
    write_results(tmp_path / "control", control)
    compare((tmp_path, tmp_path / "control"))
    assert "stumbler: 2 of 8 episodes ended by an error" in capsys.readouterr().out
    assert "Ended by an error" not in write_report(tmp_path, control).read_text()


def test_nothing_but_errors_stops_and_leaves_the_cases_to_the_next_call(tmp_path: Path) -> None:
    message = r"first 5 of 8 episodes.*rise, seed 0, corner, after 2 steps: ValueError: lost"
    with pytest.raises(BrokenSetUp, match=message):
        evaluate(ALWAYS_LOST, ToyWorld, CASES, journal=Journal(tmp_path, "a1"), progress=False)
    assert not (tmp_path / "episodes.jsonl").exists()
    assert len(files(tmp_path / "errors")) == 5
    mended = evaluate(Pusher, ToyWorld, CASES, journal=Journal(tmp_path, "a1"), progress=False)
    assert timeless(mended) == timeless(evaluate(Pusher, ToyWorld, CASES, progress=False))
    assert files(tmp_path / "errors") == []


def test_an_episode_whose_process_dies_is_a_failure_and_the_others_go_on(tmp_path: Path) -> None:
    make, journal = functools.partial(Killed, (1,)), Journal(tmp_path, "a1")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/rise-1-corner-shifted.mp4").write_bytes(b"of an earlier try")
    found = evaluate(make, ToyWorld, CASES, 2, journal=journal, recording=RECORDING, progress=False)
    whole = evaluate(Pusher, ToyWorld, CASES, progress=False)
    for result, other in zip(timeless(found), timeless(whole), strict=True):
        if result.case.seed != 1:
            assert result == other
            continue
        assert (result.success, result.steps, result.counts) == (False, 0, {"error": 1})
        assert result.events[-1].reason.startswith("WorkerDied: A worker process ended with signal 9")
    assert [*Journal(tmp_path, "a1").finished()] == CASES
    assert files(tmp_path / "errors") == ["climb-1-corner-shifted.txt", "rise-1-corner-shifted.txt"]
    assert not any("-1-" in name for name in files(tmp_path / "videos"))


def test_processes_that_die_one_after_the_other_stop_and_leave_their_cases_to_the_next_call(
    tmp_path: Path,
) -> None:
    many = cases("toy", ("rise",), range(9), ("corner",), "shifted")
    make, journal = functools.partial(Killed, tuple(range(2, 9))), Journal(tmp_path, "a1")
    with pytest.raises(BrokenSetUp, match=r"processes of 5 episodes died .* seed 2,"):
        evaluate(make, ToyWorld, many, 2, journal=journal, progress=False)
    assert [*Journal(tmp_path, "a1").finished()] == many[:2]


def test_a_process_that_dies_while_it_builds_the_agent_stops_everything(tmp_path: Path) -> None:
    make, journal = functools.partial(Killed, (), at_once=True), Journal(tmp_path, "a1")
    with pytest.raises(WorkerDied, match="signal 11 while starting for Case"):
        evaluate(make, ToyWorld, CASES, 2, journal=journal, progress=False)
    assert not (tmp_path / "episodes.jsonl").exists()


def test_few_cases_of_nothing_but_errors_are_no_table_either() -> None:
    with pytest.raises(BrokenSetUp, match="first 2 of 2"):
        evaluate(ALWAYS_LOST, ToyWorld, CASES[:2], progress=False)


def test_the_cameras_of_two_layouts_are_no_broken_set_up(tmp_path: Path) -> None:
    many = cases("toy", ("rise",), range(3), ("corner", "side", "top"))
    make = functools.partial(Stumbler, (0, 1), ValueError("lost"))
    found = evaluate(make, ToyWorld, many, journal=Journal(tmp_path, "a1"), progress=False)
    assert ["error" in result.counts for result in found] == [True] * 6 + [False] * 3
    assert [*Journal(tmp_path, "a1").finished()] == many, "also those that were held back"


@pytest.mark.parametrize(
    "error", [UsageError("wrong"), MissingDependency("absent"), MemoryError("full"), OUT_OF_MEMORY]
)
def test_what_is_not_the_episodes_own_stops_everything(tmp_path: Path, error: Exception) -> None:
    make = functools.partial(Stumbler, (2,), error)
    with pytest.raises(type(error), match=str(error)):
        evaluate(make, ToyWorld, CASES, journal=Journal(tmp_path, "a1"), progress=False)
    assert [*Journal(tmp_path, "a1").finished()] == CASES[:2]


def test_an_agent_that_cannot_be_built_stops_everything() -> None:
    def make() -> Pusher:
        raise ValueError("no weights")

    with pytest.raises(ValueError, match="no weights"):
        evaluate(make, ToyWorld, CASES, progress=False)


def test_a_recording_that_fails_does_not_undo_the_episode(tmp_path: Path, monkeypatch) -> None:
    def failing(*_: object) -> bytes:
        raise ValueError("no strip")

    monkeypatch.setattr("kinesight.evaluation.recording.encode_strip", failing)
    result = attempt(CASES[1], ToyWorld, Pusher(), out=tmp_path, recording=RECORDING)
    assert result.success
    assert (result.events[-1].kind, result.events[-1].reason) == ("unrecorded", "ValueError: no strip")
    assert result.counts["unrecorded"] == 1
    assert files(tmp_path) == []


def test_a_full_disk_stops_and_leaves_no_broken_video(tmp_path: Path, monkeypatch) -> None:
    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kinesight.evaluation.recording._encode", full)
    with pytest.raises(OSError, match="No space"):
        attempt(CASES[1], ToyWorld, Pusher(), out=tmp_path, recording=RECORDING)
    assert files(tmp_path) == []
    with pytest.raises(OSError, match="No space"):
        write_video(tmp_path / "a.mp4", np.zeros((2, 16, 16, 3), np.uint8), 10)
    assert files(tmp_path) == []


def test_a_reason_is_one_line_of_bounded_length() -> None:
    wordy = Stumbler((1,), ValueError("word\n" * 1000))
    reason = attempt(CASES[1], ToyWorld, wordy).events[-1].reason
    assert reason.startswith("ValueError: word word")
    assert len(reason) == LONGEST
