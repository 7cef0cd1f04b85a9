"""Hindsight plans as derived keys: what a plan-conditioned imaginer is trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinesight.data.derived import derive
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.geometry.plan_frame import DEAD_ZONE_M
from kinesight.planning.hindsight import hindsight_plans
from kinesight.types.errors import lookup

NAME = "plan"


@dataclass(frozen=True, slots=True)
class HindsightPlans:
    """Episode -> `plan.verbs.CAM`, `plan.directions.CAM`, `plan.distances_m.CAM`, one plan a frame.

    Needs the recorded scene points "gripper", "target" and "goal".
    """

    dead_zone_m: float = DEAD_ZONE_M

    def __call__(self, episode: Episode) -> Mapping[str, np.ndarray]:
        points = {
            name: lookup("key of the data set", f"scene.{name}", episode.arrays)
            for name in ("gripper", "target", "goal")
        }
        keys: dict[str, np.ndarray] = {}
        for name, camera in episode.cameras.items():
            verbs, directions, distances_m = hindsight_plans(
                episode.case.task,
                points["gripper"],
                episode.arrays["proprio"][:, 7],
                points["target"],
                points["goal"][0],
                camera,
                self.dead_zone_m,
                episode.case.env,
            )
            keys[f"plan.verbs.{name}"] = verbs.astype(np.uint8)
            keys[f"plan.directions.{name}"] = directions.astype(np.uint8)
            keys[f"plan.distances_m.{name}"] = distances_m.astype(np.float32)
        return keys


def with_hindsight_plans(store: EpisodeStore, workers: int = 1) -> EpisodeStore:
    """The store with its plan keys; they are computed where they are missing."""
    plans = HindsightPlans()
    folder: Path = derive(store, NAME, plans, parameters=plans, workers=workers, version=2)
    return store.with_derived(folder)
