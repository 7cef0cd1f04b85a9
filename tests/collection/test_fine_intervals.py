"""Fine intervals: what each of the parameters does, and that windows are made with them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesight.collection.fine_intervals import FineIntervals, fine_frames, with_fine_intervals
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.data.windows import open_windows
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.windows import FineSpread, Take, WindowSpec

PLAIN = FineIntervals(0.05, 1, 0, False, 0)
"""A frame is fine if it is near."""


def fine(pattern: str, **changes) -> str:
    """`pattern` has a letter a frame: n near, f far; the answer F fine, . coarse."""
    distance = np.array([0.01 if letter == "n" else 0.2 for letter in pattern])
    return "".join("F" if each else "." for each in fine_frames(distance, replace(PLAIN, **changes)))


@given(st.text("nf", max_size=40))
def test_without_further_conditions_the_near_frames_are_fine(pattern):
    assert fine(pattern) == pattern.replace("n", "F").replace("f", ".")


def test_the_threshold_is_the_largest_fine_distance():
    distance = np.array([0.049, 0.05, 0.051])
    assert list(fine_frames(distance, PLAIN)) == [True, True, False]


@pytest.mark.parametrize(
    ("changes", "pattern", "expected"),
    [
        ({"consecutive_frames": 3}, "nnfnnnn", "...FFFF"),
        ({"recovery_needed_frames": 3}, "nnfnnnnf", "FF...FF."),
        ({"max_allowed_anomaly": 2}, "nffnffnn", "FFFF..FF"),
        ({"max_allowed_anomaly": 3}, "nfnfff", "FFF..."),
        ({"suppress_single_spike": True}, "ffnffnnfnn", ".....FFFFF"),
        ({"suppress_single_spike": True}, "nfnfnff", "FFFFF.."),
        ({"suppress_single_spike": True}, "nff", "F.."),
        ({"consecutive_frames": 2, "max_allowed_anomaly": 1}, "nfnnfnfn", "..FFFF.."),
    ],
)
def test_each_parameter_by_example(changes, pattern, expected):
    assert fine(pattern, **changes) == expected


@given(
    st.text("nf", min_size=1, max_size=40),
    st.integers(1, 4),
    st.integers(0, 4),
    st.booleans(),
    st.integers(0, 3),
)
def test_laws_of_all_parameters_together(pattern, consecutive, recovery, suppress, anomaly):
    text = fine(
        pattern,
        consecutive_frames=consecutive,
        recovery_needed_frames=recovery,
        suppress_single_spike=suppress,
        max_allowed_anomaly=anomaly,
    )
    assert len(text) == len(pattern)
    gaps = text.strip(".").split("F")
    assert all(len(gap) >= max(recovery, 1) for gap in gaps if gap)
    for run in text.split("."):
        assert not run or len(run) >= consecutive
    if suppress:
        return
    at = [t for t, letter in enumerate(text) if letter == "F"]
    starts = [t for t in at if t == 0 or text[t - 1] == "."]
    for start in starts:
        end = start + len(text[start:].split(".")[0])
        assert pattern[start : start + consecutive] == "n" * consecutive
        assert pattern[end - 1] == "n"
        # Intervals that touch, with nothing to recover, count as two.
        assert recovery == 0 or pattern[start:end].count("f") <= anomaly


@pytest.mark.parametrize(
    "change",
    [
        {"distance_threshold_m": 0.0},
        {"distance_threshold_m": float("nan")},
        {"consecutive_frames": 0},
        {"recovery_needed_frames": -1},
        {"max_allowed_anomaly": -1},
    ],
)
def test_wrong_parameters_are_answered(change):
    with pytest.raises(UsageError, match=next(iter(change))):
        replace(PLAIN, **change)


def episode(task: str, length: int) -> Episode:
    """The gripper comes within reach in the second half; the goal lies where the hand begins."""
    x = np.linspace(-0.5, 0.0, length // 2)
    gripper = np.zeros((length + 1, 3))
    gripper[: len(x), 0] = x
    arrays = {
        "scene.gripper": gripper,
        "scene.target": np.zeros((length + 1, 3)),
        "scene.goal": np.repeat(gripper[:1], length + 1, 0),
        "number": np.arange(length + 1),
        "action": np.zeros((length, 4), np.float32),
    }
    return Episode(0, Case("metaworld", task, 1000, "front"), "do it", length, arrays=arrays)


def filled(path, *episodes: Episode) -> EpisodeStore:
    store = EpisodeStore.create(path, DatasetInfo(("pick-place",), (), 80.0))
    for each in episodes:
        store.append(each)
    return store


def test_the_key_is_derived_and_guides_the_windows(tmp_path):
    store = with_fine_intervals(filled(tmp_path, episode("pick-place", 60), episode("pick-place", 100)))
    kept = [store[i].arrays["fine"] for i in range(2)]
    assert [each.shape for each in kept] == [(61,), (101,)]
    assert not any(each[:20].any() for each in kept)
    assert all(each[-20:].all() for each in kept)
    assert with_fine_intervals(EpisodeStore(store.path)).derived == store.derived
    source = open_windows(store, WindowSpec({"frames": Take("number", FineSpread(9))}))
    rows = source.batch((0,), 64).values["frames"].numpy()
    early = rows[rows[:, 0] < 10]
    assert len(early)
    assert np.all((early >= 30).sum(1) >= 6), "most frames lie in the half that is fine"


def test_a_moving_hand_is_measured_to_its_goal(tmp_path):
    store = with_fine_intervals(filled(tmp_path, replace(episode("reach", 60))))
    assert store[0].arrays["fine"][0]
    assert not store[0].arrays["fine"][-1]


def test_what_is_missing_is_named(tmp_path):
    whole = episode("pick-place", 10)
    arrays = {key: value for key, value in whole.arrays.items() if key != "scene.target"}
    with pytest.raises(UnknownName, match=r"scene\.target"):
        FineIntervals()(replace(whole, arrays=arrays))
    with pytest.raises(UnknownName, match="task with fine intervals 'pick-plaice'"):
        FineIntervals()(episode("pick-plaice", 10))
    plain = filled(tmp_path / "plain", whole)
    spec = WindowSpec({"frames": Take("number", FineSpread(4))})
    with pytest.raises(UsageError, match="derive the key 'fine'"):
        open_windows(plain, spec).batch((0,), 2)
    with pytest.raises(DataError, match=r"plain, episode 0 lacks the key 'fine'"):
        open_windows([with_fine_intervals(filled(tmp_path / "fine", whole)), plain], spec)
