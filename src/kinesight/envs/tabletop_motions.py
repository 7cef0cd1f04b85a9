"""Key poses for every kind of step, planned from the present state: what the scripted expert does."""

from dataclasses import dataclass, replace
from math import pi

import numpy as np

from kinesight.envs.tabletop_fixtures import BUTTON_TRAVEL_M, DRAWER_TRAVEL_M, THREAD_DEPTH_M, THREAD_TURN_RAD
from kinesight.envs.tabletop_layout import TableState, Thing, rotation_wxyz
from kinesight.envs.tabletop_robot import TIP_M
from kinesight.envs.tabletop_steps import (
    OPEN_M,
    Clear,
    Press,
    Push,
    Put,
    PutAt,
    Screw,
    Slide,
    Step,
    beside,
    handle,
    seat,
    seated,
    support,
)
from kinesight.types.arrays import Point

TRAVEL_Z = 0.19
"""Height at which the hand moves from place to place."""
APPROACH_M = 0.09
OPEN, CLOSED = 1.0, 0.0
GRASP_STEPS, RELEASE_STEPS, PRESS_STEPS = 7, 4, 2
SLOW = 0.4


@dataclass(frozen=True, slots=True)
class Keypose:
    """A pose of the hand to be reached: position [m], turn about z from home [rad], opening 0 … 1."""

    name: str
    position: Point
    yaw: float
    opening: float
    hold: int = 0
    """Steps to wait there."""
    speed: float = 1.0
    via: bool = False
    """On the way only: no event."""


def hand_yaw(state: TableState) -> float:
    """Turn of the set point about z; 0 at home."""
    turn = rotation_wxyz(state.set_point[3:])
    return float(np.arctan2(turn[1, 0], turn[0, 0]))


def plan(step: Step, state: TableState, aside_m: float = 0.0) -> list[Keypose]:
    """Key poses from here to the end of a step; `aside_m` from the middle of a place with room for more."""
    match step:
        case Put(_, place) if is_shut(state, place):
            poses = pull_open(state, place)
        case Put(item, place, relation):
            goal = beside(state, place, relation, item) if relation else support(state, place)
            poses = carry(state, item, goal, place, aside_m)
        case PutAt(item, x, y) | Clear(item, _, _, x, y):
            poses = carry(state, item, np.array([x, y, 0.0]), "the table")
        case Press(button):
            poses = press(state, button)
        case Slide(drawer, opened):
            poses = pull_open(state, drawer) if opened else push_shut(state, drawer)
        case Push(item, mat):
            poses = shove(state, item, mat)
        case Screw(item, thread):
            poses = screw(state, item, thread)
    first = poses[0]
    if np.linalg.norm((first.position - state.set_point[:3])[:2]) < 0.02:
        return poses
    up = np.array([*state.set_point[:2], max(TRAVEL_Z, state.set_point[2])])
    over = np.array([*first.position[:2], max(TRAVEL_Z, first.position[2])])
    way = [
        Keypose("up", up, hand_yaw(state), first.opening, via=True),
        Keypose("across", over, first.yaw, first.opening, via=True),
    ]
    high = bool(state.set_point[2] > TRAVEL_Z - 0.01)
    return [*way[int(high) :], *poses]


def is_shut(state: TableState, place: str) -> bool:
    """Whether a drawer has to be opened before something can be put into it."""
    return state.thing(place).kind == "drawer" and state.joint(place) < OPEN_M


def carry(state: TableState, item: str, goal: Point, place: str, aside_m: float = 0.0) -> list[Keypose]:
    """Grip an object, bring its base to `goal`, let go.

    Aside means across the direction in which the fingers open, so that they do not meet a wall.
    """
    thing = state.thing(item)
    grip = thing.type.grip_height_m * thing.scale
    at = state.position(item) + np.array([0.0, 0.0, grip])
    if not state.upright(item):  # toppled: grip it by its middle
        at = state.centre(item)
    yaw = grip_yaw(thing, state.yaw(item))
    goal = goal + aside_m * np.array([np.cos(yaw), np.sin(yaw), 0.0])
    above = at + np.array([0.0, 0.0, APPROACH_M])
    lifted = np.array([at[0], at[1], TRAVEL_Z + goal[2]])
    over = np.array([goal[0], goal[1], TRAVEL_Z + goal[2]])
    down = goal + np.array([0.0, 0.0, grip + 0.006])
    reach = Keypose(f"reach {item}", at, yaw, OPEN, via=True)
    lower = Keypose(f"lower onto {place}", down, yaw, CLOSED, speed=SLOW, via=True)
    return [
        Keypose(f"above {item}", above, yaw, OPEN),
        reach,
        replace(reach, name=f"grasp {item}", opening=CLOSED, hold=GRASP_STEPS, via=False),
        Keypose(f"lift {item}", lifted, yaw, CLOSED),
        Keypose(f"over {place}", over, yaw, CLOSED),
        lower,
        replace(lower, name=f"release {item}", opening=OPEN, hold=RELEASE_STEPS, via=False),
        Keypose("retreat", down + np.array([0.0, 0.0, APPROACH_M]), yaw, OPEN, via=True),
    ]


def grip_yaw(thing: Thing, yaw: float) -> float:
    """The smallest turn of the hand with which the fingers close along the object's grip direction."""
    period = pi / thing.type.grip_symmetry
    wanted = yaw + thing.type.grip_yaw - pi / 2  # untouched, the fingers close along y
    return wanted - period * round(wanted / period)


def press(state: TableState, button: str) -> list[Keypose]:
    top = state.position(button) + np.array([0.0, 0.0, state.thing(button).height_m + TIP_M])
    above = top + np.array([0.0, 0.0, 0.06])
    down = top - np.array([0.0, 0.0, BUTTON_TRAVEL_M + 0.004])
    return [
        Keypose(f"above {button}", above, 0.0, CLOSED),
        Keypose(f"press {button}", down, 0.0, CLOSED, hold=PRESS_STEPS, speed=SLOW),
        Keypose("retreat", above, 0.0, CLOSED, via=True),
    ]


def pull_open(state: TableState, drawer: str) -> list[Keypose]:
    """The fingers close across the drawer's way about the upright handle."""
    yaw = state.yaw(drawer) + (pi / 2 if hand_yaw(state) > state.yaw(drawer) else -pi / 2)
    at = handle(state, drawer, state.joint(drawer)) + np.array([0.0, 0.0, 0.008])
    end = handle(state, drawer, DRAWER_TRAVEL_M + 0.004) + np.array([0.0, 0.0, 0.008])
    above = np.array([0.0, 0.0, APPROACH_M])
    return [
        Keypose("above the handle", at + above, yaw, OPEN),
        Keypose("reach the handle", at, yaw, OPEN, via=True),
        Keypose("grasp the handle", at, yaw, CLOSED, hold=GRASP_STEPS),
        Keypose("pull", end, yaw, CLOSED, speed=SLOW),
        Keypose("release the handle", end, yaw, OPEN, hold=RELEASE_STEPS),
        Keypose("retreat", end + above, yaw, OPEN, via=True),
    ]


def push_shut(state: TableState, drawer: str) -> list[Keypose]:
    """The closed fingers push the handle."""
    up, yaw = np.array([0.0, 0.0, 0.004]), state.yaw(drawer)
    start = handle(state, drawer, state.joint(drawer) + 0.050) + up
    end = handle(state, drawer, 0.008) + up
    away = handle(state, drawer, 0.038) + up
    above = np.array([0.0, 0.0, APPROACH_M])
    return [
        Keypose("before the handle, above", start + above, yaw, CLOSED),
        Keypose("before the handle", start, yaw, CLOSED),
        Keypose("push", end, yaw, CLOSED, speed=SLOW),
        Keypose("retreat", away + above, yaw, CLOSED, via=True),
    ]


def shove(state: TableState, item: str, mat: str) -> list[Keypose]:
    """Two fingertips side by side push the object along the line to the mat."""
    thing = state.thing(item)
    at, end = state.position(item), state.position(mat)
    way = (end - at) * [1, 1, 0]
    way /= max(np.linalg.norm(way), 1e-9)
    yaw = float(np.arctan2(way[1], way[0]))
    yaw -= pi * round(yaw / pi)
    height = np.array([0.0, 0.0, min(0.35 * thing.height_m, 0.02) + 0.006])
    start = at - way * (thing.radius_m + 0.030) + height
    stop = end - way * (0.6 * thing.radius_m + 0.009) + height
    above = np.array([0.0, 0.0, APPROACH_M])
    gap = 0.30
    return [
        Keypose(f"behind {item}, above", start + above, yaw, gap),
        Keypose(f"behind {item}", start, yaw, gap),
        Keypose(f"push {item}", stop, yaw, gap, speed=SLOW),
        Keypose("retreat", stop - 0.01 * way + above, yaw, gap, via=True),
    ]


def screw(state: TableState, item: str, thread: str) -> list[Keypose]:
    """Set a cap on its thread and turn it by half a turn, from +90 to -90 degrees."""
    thing = state.thing(item)
    grip = np.array([0.0, 0.0, thing.type.grip_height_m * thing.scale])
    at, yaw = state.position(item) + grip, grip_yaw(thing, state.yaw(item))
    left = THREAD_TURN_RAD + state.joint(thread)
    on = seat(state, thread) + grip
    tight = on - np.array([0.0, 0.0, THREAD_DEPTH_M * left / THREAD_TURN_RAD])
    up = np.array([0.0, 0.0, APPROACH_M])
    if seated(state, item, thread):
        start = yaw + pi if yaw < -pi / 4 else yaw
        before = [Keypose(f"above {item}", on + up, start, OPEN), Keypose("", on, start, OPEN, via=True),
                  Keypose(f"grasp {item}", on, start, CLOSED, hold=GRASP_STEPS)]  # fmt: skip
    else:
        start = pi / 2
        before = [
            Keypose(f"above {item}", at + up, yaw, OPEN),
            Keypose(f"reach {item}", at, yaw, OPEN, via=True),
            Keypose(f"grasp {item}", at, yaw, CLOSED, hold=GRASP_STEPS),
            Keypose(f"lift {item}", np.array([*at[:2], TRAVEL_Z]), yaw, CLOSED),
            Keypose(f"over {thread}", np.array([*on[:2], TRAVEL_Z]), start, CLOSED),
            Keypose(f"onto {thread}", on, start, CLOSED, hold=2, speed=SLOW),
        ]
    end = start - left - 0.06
    return [
        *before,
        Keypose(f"turn {item}", tight, end, CLOSED, speed=SLOW),
        Keypose(f"release {item}", tight, end, OPEN, hold=RELEASE_STEPS),
        Keypose("retreat", tight + up, end, OPEN, via=True),
    ]
