"""The steps that tasks are made of, and when each is done.

A step is plain data with a sentence; `done` reads a state. Steps count in their order, and what a step has
put somewhere must still be there at the end. A wrong button or drawer spoils the episode.
"""

from dataclasses import dataclass, replace

import numpy as np

from kinesight.envs.tabletop_fixtures import (
    BUTTON_TRAVEL_M,
    DRAWER_TRAVEL_M,
    HANDLE_Y,
    HANDLE_Z,
    SEAT_M,
    THREAD_DEPTH_M,
    THREAD_TURN_RAD,
)
from kinesight.envs.tabletop_layout import DIRECTIONS, TableState
from kinesight.types.arrays import Point

PRESSED_M = 0.6 * BUTTON_TRAVEL_M
OPEN_M, CLOSED_M = 0.8 * DRAWER_TRAVEL_M, 0.012
RELEASED_M = 0.045
"""Distance of the hand from the centre of what it has let go."""
STILL_M_PER_S = 0.05
BESIDE_M = (0.05, 0.16)
"""Distance between centres at which things are beside each other."""
BESIDE_ANGLE_RAD = np.radians(35.0)
AT_M, CLEAR_M = 0.045, 0.085
"""Distances from a place of the table at which something is there, and is away."""
PUSH_LIFT_M = 0.03
"""A pushed thing that rises by more was carried."""
SCREWED = 0.9
"""Share of a thread's turn."""


@dataclass(frozen=True, slots=True)
class Put:
    """Bring an object to rest in or on `place`, or at one side of it when `relation` names a direction."""

    item: str
    place: str
    relation: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class PutAt:
    """Bring an object to rest at a place of the table."""

    item: str
    x: float
    y: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Clear:
    """Take an object away from its place (x, y), for instance to (to_x, to_y)."""

    item: str
    x: float
    y: float
    to_x: float
    to_y: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    button: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Slide:
    """Open or close a drawer."""

    drawer: str
    opened: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """Slide an object over the table onto a mat, without lifting it."""

    item: str
    mat: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Screw:
    """Turn what sits on a thread until it is tight."""

    item: str
    thread: str
    text: str = ""


Step = Put | PutAt | Clear | Press | Slide | Push | Screw


def done(step: Step, state: TableState) -> bool:
    """Whether the step's condition holds in this state."""
    match step:
        case Put(item, place, relation):
            return at_rest(state, item) and _in_place(state, item, place, relation)
        case PutAt(item, x, y):
            return at_rest(state, item) and _distance(state, item, x, y) < AT_M
        case Clear(item, x, y):
            return at_rest(state, item) and _distance(state, item, x, y) > CLEAR_M
        case Press(button):
            return state.joint(button) > PRESSED_M
        case Slide(drawer, opened):
            return state.joint(drawer) > OPEN_M if opened else state.joint(drawer) < CLOSED_M
        case Push(item, mat):
            return bool(_horizontal(state, item, mat) < state.thing(mat).type.inner_radius_m - 0.01)
        case Screw(item, thread):
            tight = state.joint(thread) < -SCREWED * THREAD_TURN_RAD
            return tight and seated(state, item, thread) and at_rest(state, item)


def lasts(step: Step) -> bool:
    """Whether the step's condition has to hold at the end of the episode."""
    return not isinstance(step, Clear | Press) and not (isinstance(step, Slide) and step.opened)


def spoils(step: Step, before: Step | None, state: TableState) -> bool:
    """Whether this state makes success impossible while `step` is to be done, after the step `before`."""
    if isinstance(step, Push):
        return bool(state.position(step.item)[2] > PUSH_LIFT_M)
    if isinstance(step, Press):
        allowed = {step.button} | ({before.button} if isinstance(before, Press) else set())  # is still down
        buttons = {thing.name for thing in state.things if thing.kind == "button"}
        return any(state.joint(name) > PRESSED_M for name in buttons - allowed)
    if isinstance(step, Slide):
        drawers = {thing.name for thing in state.things if thing.kind == "drawer"}
        return any(done(replace(step, drawer=name), state) for name in drawers - {step.drawer})
    return False


def points(step: Step, state: TableState) -> tuple[Point, Point]:
    """What a step acts on and where that has to go, in the world frame."""
    match step:
        case Put(item, place, relation):
            goal = beside(state, place, relation, item) if relation else support(state, place)
            return state.centre(item), goal
        case PutAt(item, x, y) | Clear(item, _, _, x, y):
            return state.centre(item), np.array([x, y, 0.0])
        case Press(button):
            top = state.position(button) + np.array([0.0, 0.0, state.thing(button).height_m])
            return top, top - np.array([0.0, 0.0, BUTTON_TRAVEL_M])
        case Slide(drawer, opened):
            goal = DRAWER_TRAVEL_M if opened else 0.0
            return handle(state, drawer, state.joint(drawer)), handle(state, drawer, goal)
        case Push(item, mat):
            return state.centre(item), state.position(mat)
        case Screw(item, thread):
            return state.centre(item), seat(state, thread)


def seat(state: TableState, thread: str) -> Point:
    """Where a cap's base lies on a thread, as far as it is turned now."""
    depth = THREAD_DEPTH_M * (1 + state.joint(thread) / THREAD_TURN_RAD)
    return state.position(thread) + np.array([0.0, 0.0, state.thing(thread).type.floor_m + depth])


def seated(state: TableState, item: str, thread: str) -> bool:
    """Whether a cap lies where the thread takes hold of it."""
    off = np.abs(state.position(item) - seat(state, thread))
    return bool(off.max() < SEAT_M) and state.upright(item)


def handle(state: TableState, drawer: str, opening_m: float) -> Point:
    """The middle of a drawer's handle when it is pulled out so far."""
    return beyond(state, drawer, np.array([0.0, HANDLE_Y + opening_m, HANDLE_Z]))


def beyond(state: TableState, name: str, offset: Point) -> Point:
    """The point that lies at an offset in a thing's own axes, in the world frame."""
    return state.position(name) + state.rotation(name) @ offset


def at_rest(state: TableState, item: str) -> bool:
    """Let go, and not falling."""
    away = np.linalg.norm(state.hand[:3] - state.centre(item)) > RELEASED_M
    return bool(away) and state.speed(item) < STILL_M_PER_S


def support(state: TableState, place: str) -> Point:
    """Where the base of what is put in or on `place` comes to stand: (x, y, z)."""
    thing = state.thing(place)
    if thing.kind == "drawer":
        return beyond(state, place, np.array([0.0, state.joint(place) + 0.020, 0.012]))
    height = thing.height_m if thing.type.movable else thing.type.floor_m
    return state.position(place) + np.array([0.0, 0.0, height])


def beside(state: TableState, place: str, relation: str, item: str) -> Point:
    """The middle of the region that counts as `relation` `place` for an item."""
    distance = min(
        max(BESIDE_M[0] + 0.035, state.thing(place).radius_m + state.thing(item).radius_m + 0.02), 0.14
    )
    x, y = DIRECTIONS[relation]
    return state.position(place) * [1, 1, 0] + distance * np.array([x, y, 0.0])


def _in_place(state: TableState, item: str, place: str, relation: str) -> bool:
    at, thing = state.position(item), state.thing(place)
    if relation:
        offset = (at - state.position(place))[:2]
        distance = float(np.linalg.norm(offset))
        x, y = DIRECTIONS[relation]
        aligned = (offset[0] * x + offset[1] * y) / max(distance, 1e-9) > np.cos(BESIDE_ANGLE_RAD)
        return bool(BESIDE_M[0] < distance < BESIDE_M[1] and aligned and at[2] < 0.02)
    surface = support(state, place)
    centre = state.centre(item)
    if thing.kind == "drawer":
        offset = np.abs(state.rotation(place).T @ (centre - surface))
        return bool(offset[0] < 0.08 and offset[1] < 0.07 and centre[2] < 0.09 and centre[2] > 0)
    if thing.type.movable:  # a stack
        level = abs(float(at[2] - surface[2])) < 0.012
        return level and _horizontal(state, item, place) < 0.6 * thing.radius_m and state.upright(item)
    inside = np.hypot(*(centre - surface)[:2]) < thing.type.inner_radius_m
    return bool(inside and at[2] < thing.height_m + 0.06)


def _horizontal(state: TableState, item: str, other: str) -> float:
    return _distance(state, item, *state.position(other)[:2])


def _distance(state: TableState, item: str, x: float, y: float) -> float:
    at = state.position(item)
    return float(np.hypot(at[0] - x, at[1] - y))
