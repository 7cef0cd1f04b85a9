"""The facts of a data set: read over all episodes, and refused where the episodes disagree."""

from dataclasses import replace
from pathlib import Path

import data_samples
import numpy as np
import pytest

from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError
from kinesight.types.facts import DataFacts
from kinesight.types.serial import from_json, to_json

SPEC = ActionSpec(("x",), ("m",), (0.1,))
INFO = DatasetInfo(("a", "b"), ("l", "r"), 80.0, SPEC, collector={"crop": False})


def episodes() -> list[Episode]:
    return [data_samples.episode(length, i, np.random.default_rng(i)) for i, length in enumerate((5, 3, 7))]


def facts(path: Path, recorded: list[Episode], info: DatasetInfo = INFO) -> DataFacts:
    store = EpisodeStore.create(path, info)
    for episode in recorded:
        store.append(episode)
    return data_facts(store)


def test_facts_are_read_over_all_episodes(tmp_path: Path) -> None:
    recorded = episodes()
    found = facts(tmp_path, recorded)
    proprio = np.concatenate([episode.arrays["proprio"] for episode in recorded])
    np.testing.assert_array_equal(found.proprio_low, proprio.min(0))
    np.testing.assert_array_equal(found.proprio_high, proprio.max(0))
    assert found.words == ("a", "b", "do")
    assert set(found.calibration) == {"a/l", "a/r", "b/l", "b/r"}
    assert found.image_size == (4, 5)
    assert (found.env, found.tasks, found.cameras, found.crop, found.action) == (
        "toy",
        ("a", "b"),
        ("l", "r"),
        False,
        SPEC,
    )
    assert to_json(from_json(DataFacts, to_json(found))) == to_json(found)


def moved(camera: Camera) -> Camera:
    T_world_camera = camera.T_world_camera.copy()
    T_world_camera[0, 3] += 0.01
    return replace(camera, T_world_camera=T_world_camera)


@pytest.mark.parametrize("change", [moved, lambda c: replace(c, K=c.K * [[2], [1], [1]])])
def test_a_camera_that_moved_between_episodes_of_a_task_is_named(tmp_path: Path, change) -> None:
    first, second, third = episodes()
    third = replace(third, cameras={"l": third.cameras["l"], "r": change(third.cameras["r"])})
    with pytest.raises(DataError, match="episode 2 has another camera r"):
        facts(tmp_path / "same task", [first, second, third])
    other = replace(third, case=replace(third.case, task="c"))
    assert "c/r" in facts(tmp_path / "other task", [first, second, other]).calibration


def test_what_a_model_cannot_be_built_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no episodes"):
        facts(tmp_path / "empty", [])
    with pytest.raises(DataError, match="names no action space"):
        facts(tmp_path / "actions", episodes(), replace(INFO, action=None))
    first, second, _ = episodes()
    wide = {name: replace(camera, width=6) for name, camera in second.cameras.items()}
    with pytest.raises(DataError, match=r"several sizes \[\(4, 5\), \(4, 6\)\]"):
        facts(tmp_path / "sizes", [first, replace(second, cameras=wide)])


def test_cameras_may_move_where_the_split_says_so(tmp_path: Path) -> None:
    """Looks of Meta-World jitter them; the lens stays what it was."""
    recorded = [replace(each, case=replace(each.case, split="ABC")) for each in episodes()]
    assert facts(tmp_path / "one place", recorded).moving_cameras  # one of many that there might have been
    assert not facts(tmp_path / "usual", episodes()).moving_cameras
    first, second, third = recorded
    shaken = replace(third, cameras={"l": third.cameras["l"], "r": moved(third.cameras["r"])})
    assert facts(tmp_path / "moving", [first, second, shaken]).moving_cameras
    other_lens = replace(third.cameras["r"], K=third.cameras["r"].K * [[2], [1], [1]])
    with pytest.raises(DataError, match="episode 2 has another camera r"):
        facts(tmp_path / "lens", [first, second, replace(third, cameras={**third.cameras, "r": other_lens})])


def test_proprioception_of_two_kinds_is_refused_with_the_sizes(tmp_path: Path) -> None:
    first, second, third = episodes()
    wide = np.zeros((second.length + 1, 14), np.float32)
    second = replace(second, arrays={**second.arrays, "proprio": wide})
    with pytest.raises(
        DataError, match=r"proprio of episode 1 has \[14\] numbers a row, that of episode 0 \[8\]"
    ):
        facts(tmp_path, [first, second, third])
