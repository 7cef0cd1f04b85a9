"""Recorded goals: whose episode they come from, and where in it they begin."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinesight.agents.recorded_futures import RecordedFutures
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.interfaces.stages import Imaginer
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import DataError
from kinesight.types.observation import Observation, View
from kinesight.types.video import ImaginedVideo

CASE = Case("toy", "push", 10, "corner")
LENGTH = 8


def pictures(seed: int) -> np.ndarray:
    """Frame t of an episode is of the grey level seed + t."""
    levels = seed + np.arange(LENGTH + 1)
    return np.broadcast_to(levels[:, None, None, None], (LENGTH + 1, 4, 5, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """Episodes at seeds 10, 30, 50 (push) and 70 (pull): the hand goes 0.1 m a step along x."""
    path = tmp_path_factory.mktemp("expert")
    store = EpisodeStore.create(path, DatasetInfo(("push", "pull"), ("corner", "side"), 10.0))
    for index, (task, seed) in enumerate((("push", 30), ("pull", 70), ("push", 10), ("push", 50))):
        proprio = np.zeros((LENGTH + 1, 8), np.float32)
        proprio[:, 0] = 0.1 * np.arange(LENGTH + 1)
        arrays = {
            "rgb.corner": pictures(seed),
            "rgb.side": pictures(seed + 100),
            "proprio": proprio,
            "action": np.zeros((LENGTH, 2), np.float32),
        }
        case = Case("toy", task, seed, "side", split="train")
        store.append(Episode(index, case, task, LENGTH, arrays=arrays))
    return store


def imagine(futures: RecordedFutures, case: Case, x: float = 0.0) -> ImaginedVideo:
    futures.reset(case)
    camera = Camera(case.camera, np.eye(3), np.eye(4), 4, 5)
    view = View(camera, rgb=np.full((4, 5, 3), 255, np.uint8))
    proprio = np.array([x, 0, 0, 0, 0, 0, 1, 0])
    return futures.imagine(Observation(3, "push it", {case.camera: view}, proprio), None, torch.Generator())


def levels(video: ImaginedVideo) -> list[int]:
    assert all(np.ptp(frame) == 0 for frame in video.frames)
    return [int(frame[0, 0, 0]) for frame in video.frames]


def test_the_same_cases_frames_are_spread_to_its_end(store: EpisodeStore) -> None:
    futures = RecordedFutures(store, "same", 4)
    assert isinstance(futures, Imaginer)
    assert futures.privileged == ("expert",)
    video = imagine(futures, CASE)
    assert levels(video) == [12, 14, 16, 18]
    assert int(video.first[0, 0, 0]) == 255, "the first frame is what is seen now"
    assert levels(imagine(futures, replace(CASE, camera="side"))) == [112, 114, 116, 118]


@pytest.mark.parametrize(("x", "expected"), [(0.41, [15, 16, 17, 18]), (0.78, [18] * 4), (5.0, [18] * 4)])
def test_a_video_starts_where_the_hand_is(store: EpisodeStore, x: float, expected: list[int]) -> None:
    assert levels(imagine(RecordedFutures(store, "same", 4), CASE, x)) == expected


@pytest.mark.parametrize(("x", "expected"), [(0.0, [13, 16, 18]), (0.41, [17, 18, 18])])
def test_frames_at_a_fixed_spacing_end_with_the_episode(
    store: EpisodeStore, x: float, expected: list[int]
) -> None:
    assert levels(imagine(RecordedFutures(store, "same", 3, spacing=3), CASE, x)) == expected


@pytest.mark.parametrize(("seed", "other"), [(10, 30), (30, 50), (50, 10), (11, 30), (99, 10)])
def test_another_episode_is_the_next_layout_of_the_task(store: EpisodeStore, seed: int, other: int) -> None:
    video = imagine(RecordedFutures(store, "another", 1), replace(CASE, seed=seed))
    assert levels(video) == [other + LENGTH]


def test_what_is_not_recorded_is_named(store: EpisodeStore) -> None:
    for missing in (replace(CASE, seed=11), replace(CASE, start="shifted"), replace(CASE, task="open")):
        with pytest.raises(DataError, match="no recorded episode of"):
            RecordedFutures(store, "same", 4).reset(missing)
    with pytest.raises(DataError, match="need another episode of pull, standard"):
        RecordedFutures(store, "another", 4).reset(replace(CASE, task="pull", seed=70))
    with pytest.raises(DataError, match=r"rgb\.corner2"):
        RecordedFutures(store, "same", 4).reset(replace(CASE, camera="corner2"))


def test_an_empty_recording_is_named(tmp_path: Path) -> None:
    empty = EpisodeStore.create(tmp_path, DatasetInfo(("push",), ("corner",), 10.0))
    with pytest.raises(DataError, match="no recorded episode"):
        RecordedFutures(empty, "same", 4).reset(CASE)
