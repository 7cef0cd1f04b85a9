"""Drawing layouts: colours, kinds, free places; what could not be solved or told apart is rejected."""

from collections.abc import Iterable, Mapping, Sequence
from math import dist, hypot

import numpy as np

from kinesight.envs.tabletop_kinds import COLOURS
from kinesight.envs.tabletop_layout import REACH_X, REACH_Y, Thing
from kinesight.envs.tabletop_splits import HELD_OUT_REGION, SEEN_COLOURS, SEEN_SHAPES, TRAIN, Split
from kinesight.envs.tabletop_steps import Step

TRIES = 60
"""Places tried for a thing before its layout is given up."""
GAP_M = 0.014
"""Between any two things."""
GRIP_SPAN_M = 0.060
"""From the middle of a gripped object to the outside of the open fingers, and a little more."""

Words = Mapping[str, str]
"""What a sentence's template is filled with."""
Drawn = tuple[tuple[Step, ...], Words]
Disc = tuple[float, float, float]
"""x, y, radius of an area that is kept free."""


class Rejected(Exception):
    """This layout has no solution, or its sentence fits two objects: draw another."""


class Draw:
    """One attempt at a layout."""

    def __init__(self, generator: np.random.Generator, split: Split, choice: str) -> None:
        self.generator = generator
        self.split = split
        self.choice = choice
        """The task's variation, "" for none."""
        self.things: list[Thing] = []
        self._free: list[Disc] = []
        self._gripped: set[str] = set()

    def pick(self, options: Sequence[str], avoid: Iterable[str] = ()) -> str:
        left = [option for option in options if option not in set(avoid)]
        if not left:
            raise Rejected(f"nothing is left of {options}")
        return left[int(self.generator.integers(len(left)))]

    def colour(self, avoid: Iterable[str] = ()) -> str:
        """Of something that the sentence names."""
        return self.pick(self.split.colours, avoid)

    def shape(self, avoid: Iterable[str] = ()) -> str:
        return self.pick(self.split.shapes, avoid)

    def chance(self, share: float = 0.5) -> bool:
        return bool(self.generator.random() < share)

    def keep_free(self, *discs: Disc) -> None:
        self._free.extend(discs)

    def thing(self, kind: str, colour: str = "", size: str = "medium", name: str = "") -> Thing:
        words = [size if size != "medium" else "", colour, kind]
        return Thing(name or " ".join(word for word in words if word), kind, colour, size)

    def add(
        self, thing: Thing, *, gripped: bool = False, target: bool = False, clear_m: float = 0.0
    ) -> Thing:
        """Give the thing a free place; `target` binds it to the split's region, `clear_m` widens it."""
        if any(other.name == thing.name for other in self.things):
            raise Rejected(f"two things are called {thing.name!r}")
        for _ in range(TRIES):
            placed = self._somewhere(thing, target)
            if self._fits(placed, gripped, clear_m):
                return self.put(placed, gripped=gripped, clear_m=clear_m)
        raise Rejected(f"no room for {thing.name!r}")

    def put(self, thing: Thing, *, gripped: bool = False, clear_m: float = 0.0) -> Thing:
        """At the place that it has."""
        self.things.append(thing)
        if gripped:
            self._gripped.add(thing.name)
        if clear_m:
            self.keep_free((thing.x, thing.y, thing.radius_m + clear_m))
        return thing

    def fits(self, x: float, y: float, radius_m: float, but: Iterable[str] = ()) -> bool:
        """Whether a disc is free of things, those named left out, and lies within reach."""
        inside = REACH_X[0] <= x <= REACH_X[1] and REACH_Y[0] <= y <= REACH_Y[1]
        return inside and all(
            hypot(x - other.x, y - other.y) > radius_m + other.radius_m
            for other in self.things
            if other.name not in set(but)
        )

    def clear(self, disc: Disc) -> bool:
        """Whether a disc meets neither a thing nor what is kept free."""
        x, y, radius_m = disc
        taken = [(thing.x, thing.y, thing.radius_m) for thing in self.things]
        return all(hypot(x - at_x, y - at_y) > radius_m + r for at_x, at_y, r in (*taken, *self._free))

    def clutter(self, count: int, target: Thing | None = None) -> None:
        """Distractors of seen colours and shapes; in split similar-distractors near doubles of the target."""
        for index in range(count):
            taken = {thing.name for thing in self.things}
            colour, shape = self.pick(SEEN_COLOURS), self.pick(SEEN_SHAPES)
            if self.split.similar and target is not None:
                if index % 2:
                    colour = target.colour
                else:
                    colour, shape = colour if index else lookalike(target.colour), target.kind
            thing = self.thing(shape, colour)
            if thing.name not in taken:
                # A new sentence may ask for any of them.
                self.add(thing, gripped=self.split.incident == "new-instruction")

    def _somewhere(self, thing: Thing, target: bool) -> Thing:
        x_range, y_range = REACH_X, REACH_Y
        if target and self.split.held_out_region:
            x_range, y_range = HELD_OUT_REGION
        x, y = self.generator.uniform(*x_range), self.generator.uniform(*y_range)
        if not thing.type.movable:
            return thing.at(x, y)
        bounds = self.split.yaw_rad if target else TRAIN.yaw_rad
        yaw = self.generator.uniform(*bounds) * (1 if self.chance() else -1)
        return thing.at(x, y, yaw)

    def _fits(self, thing: Thing, gripped: bool, clear_m: float) -> bool:
        margin = 0.0 if thing.type.movable else thing.radius_m - 0.03
        if not (REACH_X[0] + margin < thing.x < REACH_X[1] - margin and thing.y < REACH_Y[1] - margin):
            return False
        if gripped and not self.split.held_out_region and _in_held_out(thing):
            return False
        radius = thing.radius_m + clear_m
        for other in self.things:
            distance = hypot(thing.x - other.x, thing.y - other.y)
            needed = radius + other.radius_m + GAP_M
            if gripped:
                needed = max(needed, GRIP_SPAN_M + other.radius_m)
            if other.name in self._gripped:
                needed = max(needed, GRIP_SPAN_M + thing.radius_m)
            if distance < needed:
                return False
        return all(hypot(thing.x - x, thing.y - y) > r + thing.radius_m for x, y, r in self._free)


def _in_held_out(thing: Thing) -> bool:
    (x_low, x_high), (y_low, y_high) = HELD_OUT_REGION
    return x_low <= thing.x <= x_high and y_low <= thing.y <= y_high


def lookalike(colour: str) -> str:
    """The seen colour that is most easily mistaken for this one: the nearest in RGB."""
    others = [other for other in SEEN_COLOURS if other != colour]
    return min(others, key=lambda other: dist(COLOURS[other], COLOURS[colour]))
