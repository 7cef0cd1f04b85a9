"""Things on a table as clusters of 3D points: the table's plane is removed, what is left falls apart.

Two pixels belong together if they lie within `REACH_PX` of one another in the picture, within `gap_m` in the
room, and carry the same label (a colour, say). Clusters are the connected components of that graph. Links
over more than one pixel let a cluster grow across the holes of a depth camera and across thin lines.
"""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kinesight.geometry.plane import Plane, fit_plane
from kinesight.types.arrays import Points

REACH_PX = 2
UPRIGHT = float(np.cos(np.radians(10.0)))
"""Cosine of the angle to the vertical up to which a plane's normal counts as a table's."""
MAX_PLANES = 4
"""Planes that are looked at, largest first, until one is level."""
MIN_PLANE_POINTS = 50
PLANE_POINTS = 4000
"""Points that are enough to find a plane by."""

Grid = Float[np.ndarray, "y x 3"]
"""World points of a picture's pixels in metres; NaN where the depth is invalid."""


def level_plane(points: Points, tolerance_m: float = 0.005, seed: int = 0) -> Plane | None:
    """The largest plane of points [n 3] that is level (world z is up), or None; its normal points up.

    The walls of a cupboard close to the camera may cover more pixels than the table it stands on: planes are
    taken off one after the other, largest first.
    """
    rest = points[np.isfinite(points).all(axis=1)]
    rest = rest[:: max(1, len(rest) // PLANE_POINTS)]
    for _ in range(MAX_PLANES):
        if len(rest) < MIN_PLANE_POINTS:
            return None
        try:
            plane, belongs = fit_plane(rest, tolerance_m, draws=100, seed=seed, sample=1500)
        except ValueError:  # all points on one line
            return None
        if abs(plane.normal[2]) >= UPRIGHT:
            return plane if plane.normal[2] > 0 else Plane(-plane.normal, -plane.offset_m)
        rest = rest[~belongs]
    return None


def clusters(
    points: Grid,
    keep: Bool[np.ndarray, "y x"],
    labels: Int[np.ndarray, "y x"],
    gap_m: float = 0.03,
    min_pixels: int = 4,
) -> Int[np.ndarray, "y x"]:
    """Cluster ids [y x], 0 for pixels that are not kept, have no depth or belong to fewer than `min_pixels`.

    Ids run from 1, the largest cluster first.
    """
    usable = keep & np.isfinite(points).all(axis=2)
    height, width = usable.shape
    index = np.arange(height * width).reshape(height, width)
    links = [_links(points, usable, labels, index, gap_m, dy, dx) for dy, dx in _half_window(REACH_PX)]
    first, second = (np.concatenate(ends) for ends in zip(*links, strict=True))
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(index.size, index.size))
    component = connected_components(graph, directed=False)[1].reshape(height, width)
    names, sizes = np.unique(component[usable], return_counts=True)
    order = np.argsort(-sizes, kind="stable")[: int((sizes >= min_pixels).sum())]
    table = np.zeros(index.size, np.int32)
    table[names[order]] = np.arange(1, len(order) + 1)
    return np.where(usable, table[component], 0)


def _half_window(reach: int) -> list[tuple[int, int]]:
    """One of each pair of opposite steps (dy, dx) within `reach`."""
    steps = product(range(reach + 1), range(-reach, reach + 1))
    return [(dy, dx) for dy, dx in steps if (dy, dx) > (0, 0)]


def _links(
    points: Grid,
    usable: Bool[np.ndarray, "y x"],
    labels: Int[np.ndarray, "y x"],
    index: Int[np.ndarray, "y x"],
    gap_m: float,
    dy: int,
    dx: int,
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Pairs of flat pixel indices that lie (dy, dx) apart and belong together."""
    height, width = usable.shape
    here = (slice(0, max(height - dy, 0)), slice(max(-dx, 0), width - max(dx, 0)))
    there = (slice(dy, height), slice(max(dx, 0), width - max(-dx, 0)))
    both = usable[here] & usable[there] & (labels[here] == labels[there])
    pairs = index[here][both], index[there][both]
    flat = points.reshape(-1, 3)
    near = np.linalg.norm(flat[pairs[0]] - flat[pairs[1]], axis=1) <= gap_m
    return pairs[0][near], pairs[1][near]
