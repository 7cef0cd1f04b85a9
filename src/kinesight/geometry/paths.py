"""Paths as polylines: length, points at equal distances along them, how far two of them are apart.

ST-VLA describes a motion by exactly 8 points that lie equally far apart along the path (section 3.3.2; the
spacing follows from the example of Table 5). All functions take any number of coordinates, so that a path
with depth is resampled by the same code; `measure` says which of them make up the length.
"""

import numpy as np
from jaxtyping import Float

PATH_POINTS = 8
"""How many points a path has in ST-VLA's questions and answers."""


def arc_length(points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
    """Length of the polyline from its first point up to each of its points, in the points' unit."""
    if len(points) == 0:
        raise ValueError("a path needs a point at least, got none")
    steps = np.linalg.norm(np.diff(np.asarray(points, np.float64), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def resample(
    points: Float[np.ndarray, "n d"], count: int = PATH_POINTS, measure: int | None = None
) -> Float[np.ndarray, "m d"]:
    """`count` points [m d] at equal distances along the polyline, both ends included.

    The length is taken over the first `measure` columns (all of them by default); the other columns are
    interpolated along. A path that stays in place comes back as copies of its first point.
    """
    if count < 2:
        raise ValueError(f"both ends of a path are kept, so at least 2 points are needed, got {count}")
    points = np.asarray(points, np.float64)
    if not np.isfinite(points).all():
        raise ValueError("a path has only finite coordinates; leave out points without a picture first")
    length = arc_length(points[:, :measure])
    if length[-1] == 0:
        return np.repeat(points[:1], count, axis=0)
    # Points on one spot would make the length a step function; the last of them is as good as the first.
    moved = np.concatenate([[True], np.diff(length) > 0])
    length, points = length[moved], points[moved]
    wanted = np.linspace(0.0, length[-1], count)
    return np.stack([np.interp(wanted, length, column) for column in points.T], axis=1)


def point_distances(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, "n"]:
    """Distance of each point of one path to the point of the same number of the other."""
    if first.shape != second.shape:
        raise ValueError(
            f"paths of equal shape are compared point by point, got {first.shape}, {second.shape}"
        )
    return np.linalg.norm(np.asarray(first, np.float64) - second, axis=1)
