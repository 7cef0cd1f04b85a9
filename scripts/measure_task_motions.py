"""Measure where the scripted experts touch, slide and end: the numbers of `TASK_MOTIONS`.

python scripts/measure_task_motions.py [--tasks push,sweep] [--seeds 1000-1009]

Verb, grasp, axes and the tolerance of the success test are taken from the table; the rows that are printed
replace its offsets. Where a target is first moved depends on the row itself (`first_motion`), so it is found
again with each new row. Prints after each row, as a comment: episodes, and the standard deviation of contact
and end, in centimetres.
"""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import tyro
from jaxtyping import Float

from kinesight.cli.arguments import seeds as parse_seeds
from kinesight.envs.catalogue import expert, make, task_set
from kinesight.planning.hindsight import first_motion
from kinesight.planning.task_motions import (
    TASK_MOTIONS,
    TaskMotion,
    distance_to_contact,
    moved_point,
    way_left,
)
from kinesight.types.case import STARTS
from kinesight.types.observation import ViewRequest

LIMIT = 300
"""Steps of an attempt."""
FIRST_REACH_M = 0.2
"""Distance at which the gripper may touch before anything is known."""
PASSES = 5
LEAST_REACH_M, MOST_REACH_M = 0.04, 0.08
GRASP_REACH_M = 0.06
"""The most for fingers, which do not hold what is farther away."""
SLIDES_M = 0.03
"""A way along the target shorter than this is spread, not sliding."""
ORIGIN = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Trace:
    """Metres in the world frame; opening 0 closed … 1 open."""

    gripper: Float[np.ndarray, "t 3"]
    opening: Float[np.ndarray, "t"]
    moved: Float[np.ndarray, "t 3"]
    goal: Float[np.ndarray, "3"]


def main(tasks: str = "all", seeds: str = "1000-1009") -> None:
    """Print one row a task.

    Args:
        tasks: tasks or sets of tasks
        seeds: layouts, each from both starts
    """
    for task in task_set("metaworld", tasks):
        cases = [(seed, start) for seed in parse_seeds(seeds) for start in STARTS]
        traces = [trace for case in cases if (trace := traced(task, *case)) is not None]
        row, spread = measured(TASK_MOTIONS[task], traces)
        print(f'    "{task}": {as_code(row)},  # {len(traces)} episodes; {spread}', flush=True)


def traced(task: str, seed: int, start: str) -> Trace | None:
    """The expert's episode up to its success; None where it fails."""
    environment = make("metaworld", task, seed, start=start, limit=LIMIT)
    result = environment.reset()
    agent = expert("metaworld", environment.case)
    seen = [environment.observe(ViewRequest(scene=True))]
    while not (result.success or result.truncated):
        result = environment.step(agent.act(seen[-1]).action)
        seen.append(environment.observe(ViewRequest(scene=True)))
    if not result.success:
        return None
    scenes = [each.scene.points for each in seen if each.scene is not None]
    gripper, target = (np.stack([points[name] for points in scenes]) for name in ("gripper", "target"))
    opening = np.array([each.proprio[7] for each in seen])
    return Trace(gripper, opening, moved_point(TASK_MOTIONS[task], gripper, target), scenes[0]["goal"])


def measured(motion: TaskMotion, traces: list[Trace]) -> tuple[TaskMotion, str]:
    """The motion with the offsets of these episodes, and their spread in words."""
    row = replace(motion, contact_m=ORIGIN, slides_m=ORIGIN, reach_m=FIRST_REACH_M)
    for _ in range(PASSES):
        firsts = [_first(row, trace) for trace in traces]
        offsets = [t.gripper - t.moved for t in traces]
        # What is grasped stays in the hand: the whole way tells where, better than its first frame.
        touched = np.stack(
            [
                np.median(each[first:], axis=0) if row.grasps else each[first]
                for each, first in zip(offsets, firsts, strict=True)
            ]
        )
        slid = np.median(np.stack([each[-1] for each in offsets]) - touched, axis=0)
        slides = slid if np.linalg.norm(slid) > SLIDES_M and not row.grasps else np.zeros(3)
        row = replace(row, contact_m=rounded(np.median(touched, axis=0)), slides_m=rounded(slides))
        row = replace(row, reach_m=_reach(row, traces, firsts))
    row, ends = _with_goal(row, traces)
    deviations = [100 * np.linalg.norm(each.std(0)) for each in (touched, ends)]
    return row, f"contact ± {deviations[0]:.1f} cm, end ± {deviations[1]:.1f} cm"


def _first(row: TaskMotion, trace: Trace) -> int:
    """Where something moves, else the nearest approach: fingers may close long before they hold."""
    first = first_motion(row, trace.gripper, trace.opening, trace.moved)
    return int(np.argmin(distance_to_contact(row, trace.gripper, trace.moved))) if first is None else first


def _reach(row: TaskMotion, traces: list[Trace], firsts: list[int]) -> float:
    """The distance from contact that most frames after it keep within, in whole centimetres.

    Frames beyond `MOST_REACH_M` are the arm on its way back to a target that it lost.
    """
    after = [distance_to_contact(row, t.gripper, t.moved)[c:] for t, c in zip(traces, firsts, strict=True)]
    most = math.ceil(100 * np.quantile(np.concatenate(after), 0.95)) / 100
    return min(max(LEAST_REACH_M, most), GRASP_REACH_M if row.grasps else MOST_REACH_M)


def _with_goal(row: TaskMotion, traces: list[Trace]) -> tuple[TaskMotion, Float[np.ndarray, "n 3"]]:
    """The goal itself where every episode ends within the tolerance, else the median end and its spread."""
    plain = replace(row, goal_offset_m=ORIGIN)
    ends = -np.stack([way_left(plain, t.moved[-1:], t.goal)[0] for t in traces])
    if np.linalg.norm(ends, axis=1).max() <= row.done_m + 1e-3:
        return plain, ends
    spread = np.quantile(np.linalg.norm(ends - np.median(ends, axis=0), axis=1), 0.9)
    done_m = max(0.01, math.ceil(100 * spread) / 100)
    return replace(row, goal_offset_m=rounded(np.median(ends, axis=0)), done_m=done_m), ends


def rounded(offset: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 3) + 0.0 for value in offset)  # + 0.0 turns -0.0 into 0.0
    return x, y, z


def as_code(row: TaskMotion) -> str:
    """The constructor's call, with what differs from the defaults."""
    required, optional = fields(row)[:3], fields(row)[3:]
    words = [repr(getattr(row, field.name)) for field in required]
    words += [
        f"{field.name}={getattr(row, field.name)!r}"
        for field in optional
        if getattr(row, field.name) != field.default
    ]
    return f"TaskMotion({', '.join(words)})"


if __name__ == "__main__":
    tyro.cli(main)
