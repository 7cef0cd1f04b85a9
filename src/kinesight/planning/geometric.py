"""A planner that measures the scene (Spatial Policy, Eq. 1-2, with the simulator's poses for the VLM's).

Offsets come from the current scene at every call, so a plan made again after a partial success holds only
what is left: no approach when the gripper is at the target, no grasp when it holds it, no row at all when
the goal is reached.
"""

from dataclasses import dataclass

import numpy as np

from kinesight.geometry.plan_frame import DEAD_ZONE_M
from kinesight.interfaces.stages import Planner
from kinesight.planning.motions import motion_of
from kinesight.planning.task_motions import TaskMotion, holds, moved_point, rows_left, way_left
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName, UsageError, lookup
from kinesight.types.observation import Observation, Scene, ViewRequest
from kinesight.types.plan import Feedback, SpatialPlan

SCENE_POINTS = ("gripper", "target", "goal")


@dataclass(frozen=True, slots=True)
class GeometricPlanner:
    """Plans one task in the plan frame of one camera; privileged, because it reads the scene."""

    task: str
    """One of its environment's `MOTIONS`."""
    camera: str
    """The view whose axes the directions follow."""
    dead_zone_m: float = DEAD_ZONE_M
    """Length along an axis below which its direction sign is 0."""
    env: str = "metaworld"

    def __post_init__(self) -> None:
        self._motion()

    @property
    def request(self) -> ViewRequest:
        """Only the camera's pose and the scene: no picture is rendered."""
        return ViewRequest(cameras=(self.camera,), height=1, width=1, rgb=False, scene=True)

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("scene",)

    def plan(
        self, observation: Observation, instruction: str, feedback: Feedback | None = None
    ) -> SpatialPlan:
        """What is left to do; feedback and wording of the instruction change nothing."""
        if self.camera not in observation.views:
            raise UnknownName("view of the observation", self.camera, observation.views)
        if observation.scene is None:
            raise UsageError(
                "The geometric planner needs the scene; request it with ViewRequest(scene=True)."
            )
        return plan_scene(
            self._motion(),
            observation.scene,
            float(observation.proprio[7]),
            observation.views[self.camera].camera,
            self.dead_zone_m,
        )

    def _motion(self) -> TaskMotion:
        return motion_of("task of the geometric planner", self.task, self.env)


@dataclass(frozen=True, slots=True)
class GeometricPlanners:
    """A geometric planner for each case's task and camera."""

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("scene",)

    def for_case(self, case: Case) -> Planner:
        return GeometricPlanner(case.task, case.camera, env=case.env)


def plan_scene(
    task: TaskMotion, scene: Scene, gripper_open: float, camera: Camera, dead_zone_m: float = DEAD_ZONE_M
) -> SpatialPlan:
    """The rows that are left of a task in a scene whose gripper is open by `gripper_open` (0 … 1)."""
    gripper, target, goal = (lookup("scene point", name, scene.points) for name in SCENE_POINTS)
    moved = moved_point(task, gripper[None], target[None])
    held = holds(task, gripper[None], np.array([gripper_open]), moved)[0]
    approach_m = moved[0] + task.contact_m - gripper
    remaining_m = way_left(task, moved, goal)[0]
    return rows_left(task, approach_m, remaining_m, bool(held), camera, dead_zone_m)
