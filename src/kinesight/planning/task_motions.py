"""How the Meta-World tasks are done, and the rows that follow from where things are.

Every task is an approach, for some a grasp, and one motion of the target to its goal. The verb, whether the
fingers close, the axes and the tolerance of the success test are read off the tasks. The offsets are measured
on scripted demonstrations of seeds 1000-1009, both starts: means for the first eleven tasks, those of Spatial
Policy, and medians by scripts/measure_task_motions.py for the others. They are metres in the world frame of
Meta-World: x to the robot's right, y away from it, z up.

Two straight phases say little about a way that bends, over a wall or out of a hole.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.plan_frame import DEAD_ZONE_M, offset_to_plan, offset_to_row
from kinesight.types.arrays import Point, Points
from kinesight.types.camera import Camera
from kinesight.types.plan import PlanRow, SpatialPlan

Offset = tuple[float, float, float]
CLOSED_BELOW = 0.7
"""What counts as closed where the things are those of Meta-World."""


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
    axes: str = "xyz"
    """World axes along which the target has a way to go; the success test does not look at the others."""
    moves_hand: bool = False
    """Whether the gripper itself is brought to the goal; nothing is touched."""
    closed_below: float = CLOSED_BELOW
    """Gripper opening (0 closed … 1 open) under which a gripper at its target counts as holding it."""


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
    "bin-picking": TaskMotion("move", (-0.002, 0.000, -0.006), 0.05, grasps=True),
    "box-close": TaskMotion("move", (0.001, 0.000, 0.025), 0.08, grasps=True, reach_m=0.06),
    "button-press-topdown-wall": TaskMotion("push", (0.000, -0.049, 0.000), 0.024, axes="z"),
    "button-press-wall": TaskMotion("push", (0.000, -0.034, -0.012), 0.03, axes="y"),
    "coffee-button": TaskMotion("push", (0.002, -0.048, -0.115), 0.02, axes="y"),
    "coffee-pull": TaskMotion("pull", (-0.001, -0.001, 0.021), 0.07, grasps=True),
    "coffee-push": TaskMotion("push", (0.015, 0.000, 0.017), 0.07, grasps=True),
    "dial-turn": TaskMotion("rotate", (0.039, 0.027, 0.046), 0.07, slides_m=(0.012, -0.051, 0.003)),
    "disassemble": TaskMotion(
        "pull", (-0.016, -0.001, -0.005), 0.01, grasps=True, goal_offset_m=(0.000, 0.000, 0.007), axes="z"
    ),
    "door-lock": TaskMotion(
        "rotate", (-0.018, -0.021, -0.002), 0.02, slides_m=(0.029, -0.003, 0.015), reach_m=0.08, axes="z"
    ),
    "door-unlock": TaskMotion(
        "rotate", (-0.026, -0.008, -0.073), 0.02, slides_m=(-0.035, -0.004, -0.043), reach_m=0.08, axes="x"
    ),
    "drawer-close": TaskMotion("push", (0.003, -0.015, -0.079), 0.042, axes="y"),
    "drawer-open": TaskMotion("pull", (-0.001, -0.020, -0.062), 0.03),
    "hand-insert": TaskMotion("move", (0.006, 0.001, -0.001), 0.05, grasps=True),
    "handle-press-side": TaskMotion("push", (0.001, 0.004, -0.028), 0.02, reach_m=0.08, axes="z"),
    "handle-pull": TaskMotion("pull", (0.001, -0.034, -0.021), 0.05, reach_m=0.05, axes="z"),
    "handle-pull-side": TaskMotion("pull", (0.000, 0.000, -0.016), 0.066, grasps=True, axes="z"),
    "lever-pull": TaskMotion(
        "pull", (0.005, -0.051, -0.160), 0.027, slides_m=(-0.001, -0.010, 0.066), reach_m=0.06
    ),
    "peg-insert-side": TaskMotion(
        "move", (0.006, 0.000, -0.020), 0.01, grasps=True, goal_offset_m=(0.193, 0.007, 0.006)
    ),
    "peg-unplug-side": TaskMotion("pull", (-0.013, 0.000, 0.019), 0.07, reach_m=0.07),
    "pick-out-of-hole": TaskMotion("move", (0.000, 0.000, -0.017), 0.07, grasps=True),
    "pick-place": TaskMotion("move", (0.002, 0.001, -0.007), 0.07, grasps=True),
    "pick-place-wall": TaskMotion("move", (0.002, 0.000, -0.005), 0.07, grasps=True),
    "plate-slide": TaskMotion("slide", (0.002, -0.050, 0.013), 0.07, axes="xy"),
    "plate-slide-back": TaskMotion("slide", (0.004, -0.064, 0.012), 0.07, reach_m=0.05, axes="xy"),
    "plate-slide-back-side": TaskMotion("slide", (0.024, 0.005, 0.014), 0.07, axes="xy"),
    "plate-slide-side": TaskMotion("slide", (0.067, 0.006, -0.013), 0.07, axes="xy"),
    "push": TaskMotion("push", (0.000, 0.001, -0.011), 0.05, grasps=True),
    "push-back": TaskMotion("pull", (0.007, -0.002, -0.002), 0.07, grasps=True),
    "push-wall": TaskMotion("push", (-0.002, 0.001, -0.013), 0.07, grasps=True),
    "reach": TaskMotion("reach", (0.000, 0.000, 0.000), 0.05, moves_hand=True),
    "reach-wall": TaskMotion("reach", (0.000, 0.000, 0.000), 0.05, moves_hand=True),
    "soccer": TaskMotion(
        "push", (-0.007, -0.018, 0.011), 0.07, slides_m=(0.006, -0.056, -0.026), reach_m=0.06
    ),
    "stick-pull": TaskMotion(
        "pull", (-0.003, 0.000, -0.007), 0.05, grasps=True, goal_offset_m=(-0.035, 0.017, 0.065)
    ),
    "stick-push": TaskMotion(
        "push", (0.025, 0.001, -0.003), 0.03, grasps=True, goal_offset_m=(-0.228, 0.018, -0.043)
    ),
    "sweep": TaskMotion("slide", (0.009, 0.000, 0.009), 0.05, grasps=True, axes="xy"),
    "sweep-into": TaskMotion("slide", (0.004, 0.001, -0.021), 0.05, grasps=True, axes="xy"),
    "window-close": TaskMotion("slide", (0.022, -0.019, -0.141), 0.05, axes="x"),
    "window-open": TaskMotion("slide", (-0.002, -0.022, -0.138), 0.05, axes="x"),
}
"""By task. Basketball's success test asks for the ball 5 cm above the scene's goal; the hammer's body and the
ring's handle end beside the nail and the peg, by their lengths."""


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
    return touches & (gripper_open < task.closed_below) if task.grasps else touches


def moved_point(task: TaskMotion, gripper: Points, target: Points) -> Points:
    """What the task brings to the goal, [n 3] in the world frame."""
    return gripper if task.moves_hand else target


def way_left(task: TaskMotion, moved: Points, goal: Point) -> Points:
    """World offset [n 3] in metres from the moved point to the end of its way, along the task's axes."""
    return (goal + task.goal_offset_m - moved) * np.array([axis in task.axes for axis in "xyz"])


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
