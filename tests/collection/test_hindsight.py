"""Hindsight plans as keys of a store: one for every frame and camera, in agreement with the free function."""

from pathlib import Path

import numpy as np
import pytest

from kinesight.collection.hindsight import HindsightPlans, with_hindsight_plans
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.planning.hindsight import hindsight_plans
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName
from kinesight.types.plan import MAX_ROWS

LENGTH = 30
FRONT = Camera("front", np.diag([50.0, 50, 1]), np.eye(4), 32, 32)
TURNED = Camera(
    "turned", FRONT.K, np.array([[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), 32, 32
)


def episode() -> Episode:
    """The gripper comes from the left and pushes the target along x."""
    x = np.linspace(-0.3, 0.2, LENGTH + 1)
    gripper = np.stack([x, 0 * x, 0 * x], axis=1)
    target = np.stack([np.maximum(x, 0), 0 * x, 0 * x], axis=1)
    arrays = {
        "scene.gripper": gripper,
        "scene.target": target,
        "scene.goal": np.broadcast_to([0.2, 0, 0], gripper.shape).copy(),
        "proprio": np.concatenate([gripper, np.zeros((LENGTH + 1, 5))], axis=1).astype(np.float32),
        "action": np.zeros((LENGTH, 4), np.float32),
    }
    case = Case("metaworld", "button-press", 1000, "front")
    return Episode(0, case, "press", LENGTH, {"front": FRONT, "turned": TURNED}, arrays=arrays)


def test_plans_of_every_frame_and_camera_are_kept_beside_the_episodes(tmp_path: Path) -> None:
    store = EpisodeStore.create(tmp_path, DatasetInfo(("button-press",), ("front", "turned"), 80.0))
    recorded = episode()
    store.append(recorded)
    planned = with_hindsight_plans(store)
    assert with_hindsight_plans(store).derived == planned.derived
    for name, camera in recorded.cameras.items():
        arrays = recorded.arrays
        expected = hindsight_plans(
            "button-press",
            arrays["scene.gripper"],
            arrays["proprio"][:, 7],
            arrays["scene.target"],
            arrays["scene.goal"][0],
            camera,
        )
        for key, plan in zip(("verbs", "directions", "distances_m"), expected, strict=True):
            stored = planned[0].arrays[f"plan.{key}.{name}"]
            assert stored.shape == (LENGTH + 1, MAX_ROWS)
            np.testing.assert_allclose(stored, plan, atol=1e-6)
    front, turned = (planned[0].arrays[f"plan.directions.{name}"][0] for name in ("front", "turned"))
    assert not np.array_equal(front, turned), "directions are those of the camera"


def test_a_recording_without_the_scene_is_named() -> None:
    whole = episode()
    arrays = {key: value for key, value in whole.arrays.items() if key != "scene.gripper"}
    with pytest.raises(UnknownName, match=r"scene\.gripper.*scene\.target"):
        HindsightPlans()(Episode(0, whole.case, "press", LENGTH, whole.cameras, arrays=arrays))
