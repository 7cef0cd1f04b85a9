"""Where the points of a plan lie in a picture: a landmark is a part that is seen, and an offset from it.

The visible surface of a part is boxed in along the world's axes. The sides of that box that face the camera
are where the part really ends; from them, its known size leads to its middle, and a constant offset from
there to the point. So the point hardly depends on where the camera stands, as a mean of the visible points
would.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from kinesight.geometry.colours import COLOURS
from kinesight.planning.task_motions import Offset
from kinesight.types.arrays import Matrix3, Point, Points
from kinesight.types.errors import lookup
from kinesight.types.segments import Segments

STRAY_SHARE = 0.03
"""Share of the points that may lie beyond each side of the box: stray depths do not move it."""
MIN_PIXELS = 4
"""Visible pixels below which a part counts as hidden."""
PIECES_M = 0.06
"""Gap between two pieces of one part, as an arm in front of it leaves."""
PIECE_SHARE = 0.3
"""Length of a piece over that of the largest from which it is one: a speck of the same colour is none."""

Range = tuple[float, float]
Side = Literal["near", "low", "high"]
Box = tuple[Point, Point]
"""Lowest and highest corner, metres."""


@dataclass(frozen=True, slots=True)
class Look:
    """By what a part is told from others where nothing names it."""

    colours: tuple[str, ...]
    """Names of `COLOURS` that most of its pixels carry; a grey thing is dark in the shade."""
    size_m: Range
    """Smallest and largest length of the longest side of its box."""
    height_m: Range = (0.0, 0.5)
    """Smallest and largest height of the middle of a piece of it, in the world frame."""

    def __post_init__(self) -> None:
        for colour in self.colours:
            lookup("colour", colour, dict.fromkeys(COLOURS))


@dataclass(frozen=True, slots=True)
class Fit:
    """What measuring known scenes told about a part, for one way of finding it."""

    size_m: Offset
    """Lengths of its box."""
    offset_m: Offset
    """From the middle of that box to the point."""


@dataclass(frozen=True, slots=True)
class Landmark:
    """A point that is found from a part."""

    parts: tuple[str, ...]
    """Names of the part ("object/part") for a segmenter that names what it finds."""
    look: Look
    """The same part for one that only numbers."""
    by_name: Fit
    by_look: Fit
    sides: tuple[Side, Side, Side] = ("near", "near", "near")
    """From which side of the box its middle is reckoned, by axis: the one that faces the camera, or always
    the same one, where something that moves hangs on the other."""
    pivot_m: Offset | None = None
    """About what a turning part turns, from the goal. Its box and offset then follow it: x leads from the
    pivot outwards along the table, y to the left of that. A part that does not turn has the world's axes."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One view made ready to be searched: every pixel's instance, point in the world and colour."""

    segments: Segments
    points: Float[np.ndarray, "y x 3"]
    """World points in metres; NaN where the depth is invalid."""
    colours: Int[np.ndarray, "y x"] | None
    """Ids of `COLOURS`; None without a colour picture, which named parts do without."""
    barred: Bool[np.ndarray, "y x"]
    """Pixels of the arm and of the table's rim, which no look may claim; names may."""
    eye: Point
    """The camera's position in the world frame, metres."""


def locate(landmark: Landmark, sight: Sight, goal: Point | None = None) -> Point | None:
    """The landmark's point in the world frame, metres, or None where fewer than `MIN_PIXELS` show its part.

    One that turns needs the goal's point, from which its pivot is known.
    """
    seen, fit = found(landmark, sight)
    if len(seen) < MIN_PIXELS or (landmark.pivot_m is not None and goal is None):
        return None
    axes = part_axes(landmark, seen, goal)
    middle = box_middle(box_around(seen @ axes), fit.size_m, landmark.sides, sight.eye @ axes)
    return axes @ (middle + fit.offset_m)


def found(landmark: Landmark, sight: Sight) -> tuple[Points, Fit]:
    """Visible points [n 3] of the landmark's part, and the fit that goes with the way they were found."""
    if sight.segments.names:
        return part_points(landmark.parts, sight), landmark.by_name
    return look_points(landmark.look, sight), landmark.by_look


def part_points(parts: tuple[str, ...], sight: Sight) -> Points:
    """Visible points [n 3] of the parts of these names."""
    wanted = [i for i, name in sight.segments.names.items() if name in parts]
    valid = np.isfinite(sight.points).all(axis=2)
    return sight.points[valid & np.isin(sight.segments.ids, wanted)]


def look_points(look: Look, sight: Sight) -> Points:
    """Visible points [n 3] of the instance that looks like this and fills the largest box, with its pieces.

    None [0 3] where nothing looks like this. The box, not the number of pixels, tells a thing from the thin
    edge of a table or a wall.
    """
    pieces = sorted(_pieces(look, sight), key=_volume, reverse=True)
    if not pieces:
        return np.zeros((0, 3))
    whole, *others = pieces
    for piece in (other for other in others if _length(other) >= PIECE_SHARE * _length(pieces[0])):
        joined = np.concatenate([whole, piece])
        if _gap(box_around(whole), box_around(piece)) <= PIECES_M and _length(joined) <= look.size_m[1]:
            whole = joined
    return whole if _length(whole) >= look.size_m[0] else np.zeros((0, 3))


def box_around(points: Points) -> Box:
    """The box around points [n 3] along the axes that they are given in, without the stray ones."""
    low, high = np.quantile(points, (STRAY_SHARE, 1 - STRAY_SHARE), axis=0)
    return low, high


def box_middle(box: Box, size_m: Offset, sides: tuple[Side, Side, Side], eye: Point) -> Point:
    """The middle of a box of this size whose visible part is `box`, seen from `eye`; all in its axes."""
    low, high = box
    near = eye > (low + high) / 2
    from_high = np.array(
        [bool(n) if side == "near" else side == "high" for n, side in zip(near, sides, strict=True)]
    )
    half = np.array(size_m) / 2
    return np.where(from_high, high - half, low + half)


def part_axes(landmark: Landmark, seen: Points, goal: Point | None) -> Matrix3:
    """The axes of the landmark's box as columns, for the visible points [n 3] of its part."""
    if landmark.pivot_m is None or goal is None:
        return np.eye(3)
    x, y, _ = seen.mean(axis=0) - goal - landmark.pivot_m
    x, y = np.array([x, y]) / max(float(np.hypot(x, y)), 1e-9)
    return np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]])


def _pieces(look: Look, sight: Sight) -> list[Points]:
    """Points [n 3] of each instance of the right colour and height, if it is not too long."""
    assert sight.colours is not None, "looks need colours"
    usable = ~sight.barred & np.isfinite(sight.points).all(axis=2) & (sight.segments.ids > 0)
    ids = sight.segments.ids[usable]
    wanted = [COLOURS.index(colour) for colour in look.colours]
    alike = np.bincount(ids, np.isin(sight.colours[usable], wanted))
    instances = np.flatnonzero((2 * alike > np.bincount(ids)) & (alike >= MIN_PIXELS))
    pieces = [sight.points[usable & (sight.segments.ids == instance)] for instance in instances]
    return [piece for piece in pieces if _length(piece) <= look.size_m[1] and _level(piece, look.height_m)]


def _level(piece: Points, height_m: Range) -> bool:
    low, high = box_around(piece)
    return height_m[0] <= float(low[2] + high[2]) / 2 <= height_m[1]


def _length(points: Points) -> float:
    low, high = box_around(points)
    return float((high - low).max())


def _volume(points: Points) -> float:
    low, high = box_around(points)
    return float(np.prod(high - low + 1e-3))


def _gap(one: Box, other: Box) -> float:
    """Distance between two boxes, metres; 0 if they meet."""
    apart = np.maximum(np.maximum(one[0] - other[1], other[0] - one[1]), 0.0)
    return float(np.linalg.norm(apart))
