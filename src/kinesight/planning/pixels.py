"""A planner that measures what a camera sees (Spatial Policy, Eq. 1-2, from colour, depth and masks).

It makes the same rows as the geometric planner (`rows_left`), from points found in the picture instead of the
simulator's: the point between the fingers, the target and the goal. Camera calibration, depth and the robot's
own joints are what a real robot has too; only the simulator's masks are privileged.

What is hidden: fingers are taken from the hand's pose; a target that was touched when it was last seen has
moved with the hand, another lies where it lay; a goal stays where it was. A point that was never seen is
`NotVisible`, the only error that a picture can cause.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kinesight.geometry.plan_frame import DEAD_ZONE_M
from kinesight.interfaces.stages import Segmenter
from kinesight.planning.landmarks import locate
from kinesight.planning.segmenters import ClusterSegmenter
from kinesight.planning.sight import fingers_felt, fingers_seen, sight_of
from kinesight.planning.task_landmarks import FINGERS, TASK_LANDMARKS
from kinesight.planning.task_motions import TASK_MOTIONS, holds, rows_left
from kinesight.types.arrays import Point
from kinesight.types.case import Case
from kinesight.types.errors import KinesightError, UnknownName, lookup
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import Feedback, SpatialPlan


class NotVisible(KinesightError):
    """A point that a plan needs is hidden, and was so in every picture before."""


@dataclass(frozen=True, slots=True)
class SeenPoints:
    """What one picture, and those before it, told; world frame, metres."""

    gripper: Point
    """Between the fingertips."""
    target: Point | None
    goal: Point | None
    recalled: tuple[str, ...] = ()
    """Points that are not in this picture: the gripper felt, the others remembered."""

    @property
    def known(self) -> Mapping[str, Point]:
        """Those that were ever seen, by the names of `Scene.points`."""
        points = {"gripper": self.gripper, "target": self.target, "goal": self.goal}
        return {name: point for name, point in points.items() if point is not None}


class PixelPlanner:
    """Plans one episode of one task from one camera, or tells the points alone; it remembers what it saw.

    With `gripper_felt` the gripper is taken from the hand's pose even where it can be seen.
    """

    def __init__(
        self,
        task: str,
        camera: str,
        segmenter: Segmenter,
        gripper_felt: bool = False,
        dead_zone_m: float = DEAD_ZONE_M,
    ) -> None:
        self._motion = lookup("task of the planner from pixels", task, TASK_MOTIONS)
        self._landmarks = lookup("task of the planner from pixels", task, TASK_LANDMARKS)
        self.camera = camera
        self.segmenter = segmenter
        self.gripper_felt = gripper_felt
        self.dead_zone_m = dead_zone_m
        self._goal: Point | None = None
        self._target: Point | None = None
        self._from_gripper: Point | None = None

    @property
    def request(self) -> ViewRequest:
        """Depth, and what the segmenter needs; whoever also needs the view chooses its size."""
        needs = self.segmenter.request
        return ViewRequest(cameras=(self.camera,), rgb=needs.rgb, depth=True, segmentation=needs.segmentation)

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.segmenter.privileged

    @property
    def eyes(self) -> "PixelPlanner":
        """Itself, see `Sighted`."""
        return self

    def plan(
        self, observation: Observation, instruction: str, feedback: Feedback | None = None
    ) -> SpatialPlan:
        """What is left to do; feedback and wording of the instruction change nothing."""
        return self.plan_points(self.look(observation), observation)

    def plan_points(self, seen: SeenPoints, observation: Observation) -> SpatialPlan:
        """The rows that are left between points that `look` returned for this observation."""
        if seen.target is None or seen.goal is None:
            hidden = [name for name in ("target", "goal") if getattr(seen, name) is None]
            raise NotVisible(
                f"The {' and the '.join(hidden)} of the task cannot be seen from {self.camera!r} at step "
                f"{observation.step}, nor could before; a plan needs both."
            )
        return rows_left(
            self._motion,
            seen.target + self._motion.contact_m - seen.gripper,
            seen.goal + self._motion.goal_offset_m - seen.target,
            self._touches(observation, seen.gripper, seen.target),
            observation.views[self.camera].camera,
            self.dead_zone_m,
        )

    def points(self, observation: Observation) -> Mapping[str, Point]:
        """Gripper, target and goal in the world frame, metres, without those that were never seen."""
        return self.look(observation).known

    def look(self, observation: Observation) -> SeenPoints:
        """The points of the plan in this picture, or as they are remembered; None for those never seen."""
        if self.camera not in observation.views:
            raise UnknownName("view of the observation", self.camera, observation.views)
        view = observation.views[self.camera]
        sight = sight_of(view, self.segmenter.segment(view), observation.proprio)
        fingers = None if self.gripper_felt else fingers_seen(FINGERS, sight, observation.proprio)
        gripper = fingers_felt(observation.proprio) if fingers is None else fingers
        goal = locate(self._landmarks.goal, sight)
        self._goal = goal if goal is not None else self._goal
        target = locate(self._landmarks.target, sight, self._goal)
        if target is not None:
            self._target = target
            touches = self._touches(observation, gripper, target)
            self._from_gripper = target - gripper if touches else None
        elif self._from_gripper is not None:
            self._target = gripper + self._from_gripper
        here = {"gripper": fingers, "target": target, "goal": goal}
        recalled = tuple(name for name, point in here.items() if point is None)
        return SeenPoints(gripper, self._target, self._goal, recalled)

    def _touches(self, observation: Observation, gripper: Point, target: Point) -> bool:
        opening = np.array([float(observation.proprio[7])])
        return bool(holds(self._motion, gripper[None], opening, target[None])[0])


@dataclass(frozen=True, slots=True)
class PixelPlanners:
    """A planner from pixels for each case's task and camera, which is a `PointSource` too."""

    segmenter: Segmenter = field(default_factory=ClusterSegmenter)
    gripper_felt: bool = False
    """Whether the gripper is taken from the hand's pose even where it can be seen."""

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.segmenter.privileged

    def for_case(self, case: Case) -> PixelPlanner:
        return PixelPlanner(case.task, case.camera, self.segmenter, self.gripper_felt)
