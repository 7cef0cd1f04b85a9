"""How the eleven Meta-World tasks of Spatial Policy are done, and the rows that follow from where things are.

Every task is an approach, for some a grasp, and one motion of the target to its goal. The offsets were
measured on scripted demonstrations (means over seeds 1000-1009, both starts); they are metres in the world
frame of Meta-World: x to the robot's right, y away from it, z up.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.plan_frame import DEAD_ZONE_M, offset_to_plan, offset_to_row
from kinesight.types.arrays import Point, Points
from kinesight.types.camera import Camera
from kinesight.types.plan import PlanRow, SpatialPlan

Offset = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class TaskMotion:
    """A task's verb and the points between which its rows go."""

    verb: str
    """What is done to the target once it is touched."""
    contact_m: Offset
    """Where the gripper touches, from the target."""
    done_m: float
    """Distance of the target from its goal that the task's success test allows."""
    grasps: bool = False
    """Whether the fingers close on the target before it is moved."""
    slides_m: Offset = (0.0, 0.0, 0.0)
    """How far the gripper slides along the target until the end of the motion."""
    reach_m: float = 0.04
    """Distance from contact, or from the way it slides, within which the gripper counts as touching."""
    goal_offset_m: Offset = (0.0, 0.0, 0.0)
    """Where the target ends, from the scene's goal."""


TASK_MOTIONS: dict[str, TaskMotion] = {
    "door-open": TaskMotion("pull", (0.014, 0.030, -0.030), 0.09, reach_m=0.08),
    "door-close": TaskMotion(
        "push", (0.008, 0.180, 0.010), 0.08, slides_m=(-0.100, -0.120, 0.0), reach_m=0.08
    ),
    "basketball": TaskMotion(
        "move", (0.006, 0.000, -0.006), 0.08, grasps=True, goal_offset_m=(0.0, 0.0, 0.05)
    ),
    "shelf-place": TaskMotion("move", (0.003, 0.002, -0.002), 0.07, grasps=True),
    "button-press": TaskMotion("push", (0.000, -0.048, -0.109), 0.02),
    "button-press-topdown": TaskMotion("push", (0.000, 0.000, 0.003), 0.024),
    "faucet-close": TaskMotion("rotate", (0.023, 0.040, -0.024), 0.07, reach_m=0.07),
    "faucet-open": TaskMotion("rotate", (-0.023, 0.034, -0.019), 0.07, reach_m=0.07),
    "handle-press": TaskMotion(
        "push", (0.000, -0.022, -0.038), 0.02, slides_m=(0.0, 0.0, -0.023), reach_m=0.03
    ),
    "hammer": TaskMotion(
        "strike", (-0.026, 0.000, -0.007), 0.02, True, goal_offset_m=(-0.161, -0.091, 0.010)
    ),
    "assembly": TaskMotion("move", (-0.012, 0.000, 0.001), 0.03, True, goal_offset_m=(0.135, 0.000, -0.006)),
}
"""By task. Basketball's success test asks for the ball 5 cm above the scene's goal; the hammer's body and the
ring's handle end beside the nail and the peg, by their lengths."""

CLOSED_BELOW = 0.7
"""Gripper opening (0 closed … 1 open) under which a gripper at its target counts as holding it."""


def distance_to_contact(task: TaskMotion, gripper: Points, target: Points) -> Float[np.ndarray, "n"]:
    """Metres [n] between the gripper [n 3] and the nearest point where it may touch the target [n 3]."""
    from_contact = gripper - target - task.contact_m
    slides = np.array(task.slides_m)
    share = from_contact @ slides / max(float(slides @ slides), 1e-12)
    return np.linalg.norm(from_contact - np.clip(share, 0, 1)[:, None] * slides, axis=1)


def holds(
    task: TaskMotion, gripper: Points, gripper_open: Float[np.ndarray, "n"], target: Points
) -> Bool[np.ndarray, "n"]:
    """Where the gripper is at the target and, if the task needs a grasp, closed [n]."""
    touches = distance_to_contact(task, gripper, target) <= task.reach_m
    return touches & (gripper_open < CLOSED_BELOW) if task.grasps else touches


def rows_left(
    task: TaskMotion,
    approach_m: Point,
    remaining_m: Point,
    held: bool,
    camera: Camera,
    dead_zone_m: float = DEAD_ZONE_M,
) -> SpatialPlan:
    """The rows that are left: approach [3] from gripper to contact, remaining way [3] of the target.

    Both are world offsets in metres; an approach within the task's reach needs no row. `held` (see `holds`)
    says that approach and grasp are over. Nothing is left of a task that is done.
    """
    rows: list[PlanRow] = []
    if np.linalg.norm(remaining_m) <= task.done_m:
        return SpatialPlan(())
    if not held and np.linalg.norm(approach_m) > task.reach_m:
        rows.append(offset_to_row(offset_to_plan(approach_m, camera), "move", dead_zone_m))
    if not held and task.grasps:
        rows.append(PlanRow("grasp", (0, 0, 0), 0.0))
    rows.append(offset_to_row(offset_to_plan(remaining_m, camera), task.verb, dead_zone_m))
    return SpatialPlan(tuple(rows))
