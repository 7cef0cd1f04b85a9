"""What may happen in the middle of an episode: a thing is moved, a drawer is shut, the sentence changes.

Options of the splits "interference" and "new-instruction" (ST4VLA, D.4: physical interference, task
replanning). Each happens once, and only where the task can still be done.
"""

from dataclasses import dataclass
from math import hypot

import numpy as np

from kinesight.envs.tabletop_draw import TRIES, Draw, Rejected
from kinesight.envs.tabletop_fixtures import CONTAINERS
from kinesight.envs.tabletop_language import describe
from kinesight.envs.tabletop_layout import TableState
from kinesight.envs.tabletop_steps import Put, Screw, Slide, Step, handle

NEAR_M, AWAY_M = 0.075, 0.12
"""The hand is about to grip a thing; it has left a handle."""
MOVED_M = (0.08, 0.20)
TOLD_AT_STEP = 12


@dataclass(frozen=True, slots=True)
class Moved:
    """An object lies elsewhere just before it would be gripped."""

    item: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Shut:
    """A drawer is shut again after the hand has left it."""

    drawer: str


@dataclass(frozen=True, slots=True)
class Told:
    """Another sentence takes the place of the first one."""

    instruction: str
    steps: tuple[Step, ...]


Incident = Moved | Shut | Told


def happens(incident: Incident, state: TableState, opening: float, completed: int, step: int) -> bool:
    """Whether it is time; `opening` is the gripper's, 0 … 1."""
    match incident:
        case Moved(item):
            near = np.linalg.norm(state.hand[:3] - state.centre(item)) < NEAR_M
            return bool(near) and opening > 0.7
        case Shut(drawer):
            grip = handle(state, drawer, state.joint(drawer))
            return completed == 1 and bool(np.linalg.norm(state.hand[:3] - grip) > AWAY_M)
        case Told():
            return step >= TOLD_AT_STEP and completed == 0


def draw_incident(kind: str, d: Draw, steps: tuple[Step, ...]) -> Incident | None:
    """The incident of a split for these steps; None where the split has none."""
    if kind == "interference":
        return _interference(d, steps[0])
    return _new_instruction(d, steps[0]) if kind == "new-instruction" else None


def _interference(d: Draw, first: Step) -> Incident:
    if isinstance(first, Slide):
        return Shut(first.drawer)
    assert isinstance(first, Put | Screw), "the table of tasks with interference says otherwise"
    item = next(thing for thing in d.things if thing.name == first.item)
    for _ in range(TRIES):
        x, y = item.x + d.generator.uniform(-0.2, 0.2), item.y + d.generator.uniform(-0.2, 0.2)
        far = MOVED_M[0] < hypot(x - item.x, y - item.y) < MOVED_M[1]
        if far and d.fits(float(x), float(y), item.radius_m + 0.04, but=(item.name,)):
            return Moved(item.name, float(x), float(y))
    raise Rejected("no room to move the object to")


def _new_instruction(d: Draw, first: Step) -> Incident:
    """Another object, into another container where there is one."""
    assert isinstance(first, Put), "the table of tasks with new instructions says otherwise"
    items = [t.name for t in d.things if t.type.movable and t.name != first.item]
    containers = [t.name for t in d.things if t.kind in CONTAINERS]
    named = {thing.name: thing for thing in d.things}
    item = named[d.pick(items)]
    place = named[d.pick([c for c in containers if c != first.place] or containers)]
    what, where = describe(d.things, item), describe(d.things, place)
    told = Put(item.name, place.name, text=f"put {what} into {where}")
    return Told(f"no, put {what} into {where} instead", (told,))
