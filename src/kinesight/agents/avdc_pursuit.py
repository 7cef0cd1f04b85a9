"""From the path of an object to motions of a hand: where to take hold, where to go, when to close.

The rules are those of AVDC's controller for Meta-World: an object that rises must be grasped, any other is
pushed from the side opposite to its way; the hand comes from above, goes down, and then visits the points of
the object's path one after the other.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinesight.types.arrays import Point, Points
from kinesight.types.errors import UsageError

Mode = Literal["grasp", "push"]
Stage = Literal["above", "down", "close", "follow"]
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True)
class PursuitConfig:
    """Distances of the controller; metres and the world frame."""

    rise_m: float = 0.06
    """An object whose path rises by more than this is grasped."""
    above_m: float = 0.2
    """Height over the start from which the hand comes down."""
    over_m: float = 0.02
    """Horizontal distance at which the hand is over its start."""
    down_m: float = 0.04
    """Height over a pushed object at which the hand has come down."""
    back_m: float = 0.08
    """How far before the object a push begins."""
    heading_m: float = 0.1
    """Length of the path from which a push takes its direction."""
    lower_m: float = 0.03
    """A push goes this much below the path: the palm pushes, not the fingers."""
    hold_m: float = 0.04
    """The hand's origin over the middle of a grasped object; the fingers reach 4.5 cm below it."""
    held_m: float = 0.06
    """Distance from between the fingers within which a grasped object is still in the hand."""
    close_steps: int = 15
    """Steps given to the fingers to close."""
    push_tolerance_m: float = 0.12
    """Distance at which a point of the path counts as visited, pushing."""
    grasp_tolerance_m: float = 0.04
    """The same with an object in the hand."""

    def __post_init__(self) -> None:
        if min(self.above_m, self.over_m, self.down_m, self.push_tolerance_m, self.grasp_tolerance_m) <= 0:
            raise UsageError(f"heights and tolerances of a pursuit must be positive, got {self}")
        if self.close_steps < 0 or min(self.back_m, self.heading_m, self.lower_m, self.rise_m) < 0:
            raise UsageError(f"steps and distances of a pursuit cannot be negative, got {self}")


@dataclass(frozen=True, slots=True)
class HandPlan:
    """What the hand does; all points are of its origin, world frame [m]."""

    mode: Mode
    start: Point
    """Where it comes down to."""
    waypoints: Points
    """Where it goes from there."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked of the hand now."""

    set_point: Point
    close: bool


def hand_plan(path: Points, config: PursuitConfig) -> HandPlan:
    """The plan that brings an object along its path [t 3], world frame [m]; t ≥ 2."""
    if len(path) < 2:
        raise UsageError(f"a hand's plan needs a path of two points at least, got {len(path)}")
    if rises(path, config):
        held = path + UP * config.hold_m
        return HandPlan("grasp", held[0], held[1:])
    start = path[0] - config.back_m * heading(path, config.heading_m)
    return HandPlan("push", start, path[1:] - UP * config.lower_m)


def rises(path: Points, config: PursuitConfig) -> bool:
    """Whether an object with this path [t 3] must be lifted."""
    return float(path[:, 2].max() - path[0, 2]) > config.rise_m


def carry_plan(path: Points, hand: Point) -> HandPlan:
    """The plan of a hand [3] that holds the object already: it makes the object's way [t 3]."""
    return HandPlan("grasp", hand, hand + path[1:] - path[0])


def held_place(hand: Point, config: PursuitConfig) -> Point:
    """Where a grasped object is, world frame [m]."""
    return hand - UP * config.hold_m


def heading(path: Points, least_m: float) -> Point:
    """The direction [3] in which an object sets out: of the first point beyond `least_m`, or of the farthest.

    It is level, unless the path is steeper than it is long; a path that goes nowhere has none: zero.
    """
    ways = path - path[0]
    lengths = np.linalg.norm(ways, axis=1)
    beyond = np.flatnonzero(lengths > least_m)
    way = ways[beyond[0] if len(beyond) else lengths.argmax()].copy()
    if np.linalg.norm(way[:2]) >= abs(way[2]):
        way[2] = 0.0
    else:
        way[:2] = 0.0
    return way / max(float(np.linalg.norm(way)), 1e-9)


class Pursuit:
    """Carries a plan out, one command a step."""

    def __init__(self, plan: HandPlan, config: PursuitConfig, holding: bool = False) -> None:
        """`holding`: the object is in the hand already, so the path begins at once."""
        self.plan = plan
        self.config = config
        self.stage: Stage = "follow" if holding else "above"
        self._next = 0
        self._closing = 0

    @property
    def finished(self) -> bool:
        """Whether the last point of the path is the one that is gone to."""
        return self.stage == "follow" and self._next == len(self.plan.waypoints) - 1

    def step(self, hand: Point) -> Command:
        """The command for a hand at this place, world frame [m]."""
        self._advance(hand)
        start = self.plan.start
        if self.stage == "above":
            set_point = start + UP * self.config.above_m
        elif self.stage in ("down", "close"):
            set_point = start
        else:
            set_point = self.plan.waypoints[self._next]
        close = self.plan.mode == "push" or self.stage in ("close", "follow")
        return Command(set_point, close)

    def _advance(self, hand: Point) -> None:
        config, away = self.config, hand - self.plan.start
        grasps = self.plan.mode == "grasp"
        if self.stage == "above" and np.linalg.norm(away[:2]) <= config.over_m:
            self.stage = "down"
        if self.stage == "down" and abs(away[2]) <= (config.over_m / 2 if grasps else config.down_m):
            self.stage = "close" if grasps else "follow"
        elif self.stage == "close":
            self._closing += 1
            if self._closing >= config.close_steps:
                self.stage = "follow"
        if self.stage == "follow":
            tolerance = config.grasp_tolerance_m if grasps else config.push_tolerance_m
            while not self.finished and np.linalg.norm(hand - self.plan.waypoints[self._next]) <= tolerance:
                self._next += 1
