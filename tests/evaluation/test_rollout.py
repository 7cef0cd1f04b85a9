"""Case order, independence of the number of workers, resuming, and what recordings stay."""

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import pytest
import torch
from evaluation_toys import Crasher, Pusher, ToyWorld

from kinesight.evaluation.gallery import read_items
from kinesight.evaluation.journal import Journal
from kinesight.evaluation.recording import Recording
from kinesight.evaluation.rollout import cases, evaluate
from kinesight.types.errors import DataError, UsageError
from kinesight.types.results import EpisodeResult

CASES = cases("toy", ("rise", "climb"), range(4), ("corner",), "shifted")


def timeless(results: Sequence[EpisodeResult]) -> list[EpisodeResult]:
    return [replace(result, timings_s={}) for result in results]


def test_cases_nest_tasks_seeds_cameras() -> None:
    made = cases("toy", ("a", "b"), (3, 1), ("x", "y"))
    assert [(case.task, case.seed, case.camera) for case in made[:4]] == [
        ("a", 3, "x"), ("a", 3, "y"), ("a", 1, "x"), ("a", 1, "y"),
    ]  # fmt: skip
    assert len(made) == len(set(made)) == 8
    with pytest.raises(UsageError, match="one camera at least"):
        cases("toy", ("a",), (1,), ())
    with pytest.raises(UsageError, match="seed stands twice in 1, 1"):
        cases("toy", ("a",), (1, 1), ("x",))


RECORDING = Recording(every=2, size=32, successes=1, failures=9)


def recorded(out: Path, workers: int) -> list[EpisodeResult]:
    journal = Journal(out, "a1")
    return evaluate(Pusher, ToyWorld, CASES, workers, journal=journal, recording=RECORDING, progress=False)


def test_any_number_of_workers_leaves_the_same_behind(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    alone = recorded(tmp_path / "1", 1)
    assert torch.get_num_threads() == threads
    together = recorded(tmp_path / "2", 2)
    assert timeless(alone) == timeless(together)
    assert [result.case for result in alone] == CASES
    for pattern in ("gallery/*/*", "videos/*"):
        first, second = sorted((tmp_path / "1").glob(pattern)), sorted((tmp_path / "2").glob(pattern))
        assert [file.name for file in first] == [file.name for file in second]
        assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    make = functools.partial(Crasher, 2, mended)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt, match="power"):
        evaluate(make, ToyWorld, CASES, journal=Journal(out, "a1"), progress=False)
    file = out / "episodes.jsonl"
    assert len(file.read_text().splitlines()) == 2
    file.write_text(file.read_text() + '{"agent": "a1", "episode": {"case": {"env": "t')
    mended.touch()
    resumed = evaluate(make, ToyWorld, CASES, journal=Journal(out, "a1"), progress=False)
    assert timeless(resumed) == timeless(evaluate(make, ToyWorld, CASES, progress=False))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["episode"]["case"]["seed"] for line in lines] == [0, 1, 2, 3] * 2


def test_finished_cases_are_not_run_again_but_for_another_agent(tmp_path: Path) -> None:
    first = evaluate(Pusher, ToyWorld, CASES[:2], journal=Journal(tmp_path, "a1"), progress=False)
    dead = functools.partial(Crasher, 0, tmp_path / "never")
    assert evaluate(dead, ToyWorld, CASES[:2], journal=Journal(tmp_path, "a1"), progress=False) == first
    with pytest.raises(KeyboardInterrupt):
        evaluate(dead, ToyWorld, CASES[:2], journal=Journal(tmp_path, "b2"), progress=False)


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "episodes.jsonl").write_text('{"agent": "a1"}\n')
    with pytest.raises(DataError, match=r"episodes.jsonl, line 1.*'episode' is missing"):
        Journal(tmp_path, "a1").finished()
    with pytest.raises(ValueError, match="agent's hash"):
        Journal(tmp_path, "")


def test_recordings_stay_for_failures_and_the_first_successes(tmp_path: Path) -> None:
    results = recorded(tmp_path, 1)
    assert len({result.success for result in results}) == 2, "the toy world is neither easy nor hopeless"
    wanted = []
    for task in ("rise", "climb"):
        own = [result for result in results if result.case.task == task]
        wanted += [r.case for r in own if not r.success] + [r.case for r in own if r.success][:1]
    assert {item.case for item in read_items(tmp_path)} == set(wanted)
    names = {file.stem for file in (tmp_path / "videos").iterdir()}
    assert names == {f"{case.task}-{case.seed}-corner-shifted" for case in wanted}


def test_a_video_holds_the_frames_that_were_seen(tmp_path: Path) -> None:
    recording = Recording(every=3, size=33, successes=9)
    results = evaluate(
        Pusher, ToyWorld, CASES[:1], journal=Journal(tmp_path, "a1"), recording=recording, progress=False
    )
    steps = results[0].steps
    with av.open(str(tmp_path / "videos" / "rise-0-corner-shifted.mp4")) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert len(frames) == len({*range(0, steps + 1, 3), steps})
    assert frames[-1].shape == (32, 32, 3)
    assert abs(int(frames[-1][-4, 4, 0]) - 10 * steps) < 8
