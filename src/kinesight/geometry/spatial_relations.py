"""How things lie to each other, as seen from a camera: left, right, in front, behind, on, in, nearest.

Things are boxes along the axes of the world, z up, in metres. Left and right are the viewer's; in front means
nearer to the viewer. Both are taken in the horizontal plane, so that a camera's tilt does not turn the table.
A relation is said only where it is clear: beyond a margin, and in the direction that dominates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from kinesight.types.arrays import Point, Points
from kinesight.types.camera import Camera

Side = Literal["left", "right", "in front", "behind"]
SIDES: tuple[Side, ...] = ("left", "right", "in front", "behind")
MARGIN_M = 0.02
"""Less is no clear difference."""
CONTACT_M = 0.01
"""How far the bottom of a thing may lie from the top of what it stands on."""
INSIDE_SHARE = 0.9
"""Of its footprint, that lies over a container."""


@dataclass(frozen=True, slots=True)
class Solid:
    """A thing's box by its lowest and highest corner, metres in the world frame."""

    name: str
    low: Point
    high: Point

    def __post_init__(self) -> None:
        if not (
            np.isfinite(self.low).all() and np.isfinite(self.high).all() and (self.low <= self.high).all()
        ):
            raise ValueError(f"{self.name!r}: a box goes from low to high, got {self.low} to {self.high}")

    @property
    def centre(self) -> Point:
        return (self.low + self.high) / 2


def solid_of(name: str, points: Points, trim: float = 0.01) -> Solid:
    """The box of seen points [n 3]; a share `trim` is cut off at each end, against stray depths at edges."""
    finite = points[np.isfinite(points).all(axis=1)]
    if len(finite) == 0:
        raise ValueError(f"{name!r}: no point with finite coordinates among {len(points)}")
    low, high = np.quantile(np.asarray(finite, np.float64), (trim, 1 - trim), axis=0)
    return Solid(name, low, high)


def viewer_axes(camera: Camera) -> Float[np.ndarray, "2 2"]:
    """Rows: the viewer's right and the viewer's far side, unit vectors in the world's x and y.

    A camera that looks straight down has the far side at the top of its picture.
    """
    right, down, forward = np.asarray(camera.T_world_camera[:3, :3], np.float64).T
    if abs(right[2]) > 0.5 or down[2] > 1e-6:
        raise ValueError(f"camera {camera.name!r} is rolled over; left and right mean nothing in its picture")
    # Either may be vertical, never both. Looking up, the picture's top leans towards the viewer.
    far = forward[:2] - down[:2] if forward[2] <= 0 else forward[:2] + down[:2]
    far = far / np.linalg.norm(far)
    return np.array([[far[1], -far[0]], far])


def side(thing: Solid, other: Solid, camera: Camera, margin_m: float = MARGIN_M) -> Side | None:
    """On which side of `other` the thing lies; None where their centres are within the margin or diagonal.

    Diagonal: the smaller of the two offsets is more than half the larger one.
    """
    offset = (thing.centre - other.centre)[:2]
    return _sides(offset[None] @ viewer_axes(camera).T, margin_m)[0]


def is_on(thing: Solid, other: Solid) -> bool:
    """Whether the thing's bottom touches the other's top and its centre lies above it."""
    touches = abs(thing.low[2] - other.high[2]) <= CONTACT_M
    centre = thing.centre[:2]
    return bool(touches and (other.low[:2] <= centre).all() and (centre <= other.high[:2]).all())


def is_in(thing: Solid, container: Solid) -> bool:
    """Whether most of the thing's footprint is over the container and its bottom is below the rim.

    A box knows no hollow: ask this of things that can hold something.
    """
    size = np.maximum(thing.high - thing.low, 1e-9)[:2]
    shared = np.minimum(thing.high, container.high)[:2] - np.maximum(thing.low, container.low)[:2]
    over = np.prod(np.clip(shared / size, 0.0, 1.0))
    below_rim = thing.low[2] < container.high[2] - CONTACT_M
    return bool(over >= INSIDE_SHARE and below_rim and thing.low[2] >= container.low[2] - CONTACT_M)


def nearest(thing: Solid, others: Sequence[Solid], margin_m: float = MARGIN_M) -> Solid | None:
    """The one of the others whose centre is nearest; None where the second is as near within the margin."""
    if not others:
        raise ValueError(f"nothing to choose from for what is nearest to {thing.name!r}")
    distances = np.array([np.linalg.norm(other.centre - thing.centre) for other in others])
    order = np.argsort(distances, kind="stable")
    if len(others) > 1 and distances[order[1]] - distances[order[0]] < margin_m:
        return None
    return others[order[0]]


def free_points(
    points: Points,
    solids: Sequence[Solid],
    reference: Solid,
    wanted: Side,
    camera: Camera,
    reach_m: float = 0.3,
    clearance_m: float = 0.02,
) -> Bool[np.ndarray, "n"]:
    """Which points [n 3] of a support are free and on the wanted side of the reference, within reach of it.

    Free: `clearance_m` at least from the footprint of every solid, the reference included. The points are
    those that the picture shows of the table; what is hidden is not offered.
    """
    finite = np.asarray(np.isfinite(points).all(axis=1))
    ground = np.where(finite[:, None], points, 0.0)[:, :2]
    free = np.logical_and(finite, _distance(ground, reference) <= reach_m)
    for solid in (*solids, reference):
        free &= _distance(ground, solid) >= clearance_m
    found = _sides((ground - reference.centre[:2]) @ viewer_axes(camera).T, MARGIN_M)
    return np.logical_and(free, [each == wanted for each in found])


def _sides(offsets: Float[np.ndarray, "n 2"], margin_m: float) -> list[Side | None]:
    """Sides of offsets [right, far] in metres."""
    across, far = offsets.T
    clear = np.minimum(abs(across), abs(far)) <= 0.5 * np.maximum(abs(across), abs(far))
    clear &= np.maximum(abs(across), abs(far)) > margin_m
    index = np.where(abs(across) >= abs(far), np.where(across > 0, 1, 0), np.where(far > 0, 3, 2))
    return [SIDES[i] if said else None for i, said in zip(index.tolist(), clear.tolist(), strict=True)]


def _distance(ground: Float[np.ndarray, "n 2"], solid: Solid) -> Float[np.ndarray, "n"]:
    """Horizontal distance of points to a footprint, 0 inside."""
    outside = np.maximum(np.maximum(solid.low[:2] - ground, ground - solid.high[:2]), 0.0)
    return np.linalg.norm(outside, axis=1)
