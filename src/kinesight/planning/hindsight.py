"""The plan that a finished episode followed, seen from each of its frames.

A video model is trained on these plans and tested with a planner's, so both are made of the same rows
(`rows_left`); only the offsets differ: here the approach ends where the gripper really was at
contact. Contact is when the target, with the gripper near it, has moved by a centimetre from where it lay,
or when the fingers had closed on it before that; of a target that never moves it is the gripper's nearest
approach. The target's way ends at its goal if the
episode brought it there, within the tolerance of the success test, else where the target really ended.
"""

import numpy as np
from jaxtyping import Float, Int

from kinesight.geometry.plan_frame import DEAD_ZONE_M
from kinesight.language.plan_text import encode_plan
from kinesight.planning.motions import motion_of
from kinesight.planning.task_motions import (
    TaskMotion,
    distance_to_contact,
    holds,
    moved_point,
    rows_left,
    way_left,
)
from kinesight.types.arrays import Point
from kinesight.types.camera import Camera

MOVED_M = 0.01
"""Way of the target that counts as moved by the gripper."""
NEAR_M = 0.06
"""Distance beyond a task's reach at which the gripper may already move the target."""

Path = Float[np.ndarray, "t 3"]
PlanArrays = tuple[Int[np.ndarray, "t k"], Int[np.ndarray, "t k"], Float[np.ndarray, "t k"]]
"""Verb ids, direction ids and distances in metres: one encoded plan a frame."""


def hindsight_plans(
    task: str,
    gripper: Path,
    gripper_open: Float[np.ndarray, "t"],
    target: Path,
    goal: Point,
    camera: Camera,
    dead_zone_m: float = DEAD_ZONE_M,
    env: str = "metaworld",
) -> PlanArrays:
    """The encoded plan at each of an episode's frames.

    Positions are metres in the world frame: `gripper` and `target` at every frame, `goal` once, as the points
    of those names in `Scene`; `gripper_open` is 0 closed … 1 open. Directions follow the plan frame of
    `camera`.
    """
    motion = motion_of("task with hindsight plans", task, env)
    target = moved_point(motion, gripper, target)
    contact = contact_frame(motion, gripper, gripper_open, target)
    remaining_m = remaining_way(motion, gripper, target, goal, contact)
    plans = [
        encode_plan(
            rows_left(
                motion, gripper[contact] - gripper[t], remaining_m[t], t >= contact, camera, dead_zone_m
            )
        )
        for t in range(len(gripper))
    ]
    return (
        np.stack([plan.verbs for plan in plans]),
        np.stack([plan.directions for plan in plans]),
        np.stack([plan.distances_m for plan in plans]),
    )


def contact_frame(
    motion: TaskMotion, gripper: Path, gripper_open: Float[np.ndarray, "t"], target: Path
) -> int:
    """The frame at which the gripper first held what it then moved."""
    first = first_motion(motion, gripper, gripper_open, target)
    if first is None:
        return int(np.argmin(distance_to_contact(motion, gripper, target)))
    lost = np.flatnonzero(~holds(motion, gripper, gripper_open, target)[:first])
    return int(lost[-1] + 1 if len(lost) else 0) if motion.grasps else first


def first_motion(
    motion: TaskMotion, gripper: Path, gripper_open: Float[np.ndarray, "t"], target: Path
) -> int | None:
    """The first frame with the gripper near (closed, if it grasps) and the target away from where it lay."""
    near = distance_to_contact(motion, gripper, target) <= motion.reach_m + NEAR_M
    at_rest = target[np.argmax(near)]
    moved = near & (np.linalg.norm(target - at_rest, axis=1) > MOVED_M)
    if motion.grasps:  # what falls out of an open hand is not carried
        moved &= gripper_open < motion.closed_below
    return int(np.argmax(moved)) if moved.any() else None


def remaining_way(motion: TaskMotion, gripper: Path, target: Path, goal: Point, contact: int) -> Path:
    """World offset [t 3] in metres from the target to the end of its way, at each frame."""
    to_goal = way_left(motion, target, goal)
    if (np.linalg.norm(to_goal, axis=1) <= motion.done_m).any():
        return to_goal
    if (np.linalg.norm(target[contact:] - target[contact], axis=1) > MOVED_M).any():
        return target[-1] - target
    frames = np.maximum(np.arange(len(gripper)), contact)
    return gripper[-1] - gripper[frames]
