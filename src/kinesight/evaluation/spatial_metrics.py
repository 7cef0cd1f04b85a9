"""How far an answer about places is from the truth (ST-VLA, appendix I).

The paper leaves open its pixel threshold, its depth tolerance and whether path errors are taken per point or
per coordinate. So thresholds come as series, and path errors come both ways, under names that say which.
Path errors are in thousandths of the sides, the unit in which the paper's magnitudes make sense; distances of
points are in pixels of the original picture.
"""

import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.paths import PATH_POINTS, point_distances, resample
from kinesight.types.spatial import ImageBox, ImagePath, ImagePoint, ImageSize

PIXEL_THRESHOLDS = (5, 10, 20, 40)
DEPTH_TOLERANCES = (5, 10, 25, 50)
"""Per cent of the true depth, and of the true offset from the start."""
SMALLEST_OFFSET_M = 0.01
"""A share of a smaller offset says nothing; such points are left out of the offset's ratios."""


def iou(first: ImageBox, second: ImageBox) -> float:
    """Intersection over union, the same in any unit. Two equal boxes without area have 1, others 0."""
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    shared = max(width, 0.0) * max(height, 0.0)
    union = _area(first) + _area(second) - shared
    return shared / union if union > 0 else float(first.edges == second.edges)


def hit_share(points: tuple[ImagePoint, ...], mask: Bool[np.ndarray, "y x"]) -> float:
    """Share of the points that fall on the mask, as RoboPoint counts Where2Place: the mean over the points.

    A point on the right or lower edge of the picture belongs to the last pixel.
    """
    height, width = mask.shape
    hits = [
        mask[min(int(point.y * height), height - 1), min(int(point.x * width), width - 1)] for point in points
    ]
    return float(np.mean(hits))


def box_hit_share(points: tuple[ImagePoint, ...], box: ImageBox) -> float:
    """Share of the points inside the box or on its edge."""
    hits = [box.left <= p.x <= box.right and box.top <= p.y <= box.bottom for p in points]
    return float(np.mean(hits))


def pixel_distance(first: ImagePoint, second: ImagePoint, size: ImageSize) -> float:
    """Euclidean distance in pixels of the picture."""
    return float(np.hypot((first.x - second.x) * size.width, (first.y - second.y) * size.height))


def path_errors(path: ImagePath, truth: ImagePath, count: int = PATH_POINTS) -> dict[str, float]:
    """Errors after both paths are resampled to `count` points at equal arc lengths, in thousandths.

    `rmse` and `mae` are over the distances of the points, `…_coordinate` over the differences in x and in y:
    sqrt(2) · rmse_coordinate = rmse.
    """
    points, true_points = (1000 * resample(each.points, count) for each in (path, truth))
    distances = point_distances(points, true_points)
    differences = np.abs(points - true_points)
    return {
        "rmse": float(np.sqrt(np.mean(distances**2))),
        "rmse_coordinate": float(np.sqrt(np.mean(differences**2))),
        "mae": float(distances.mean()),
        "mae_coordinate": float(differences.mean()),
    }


def path_depths(path: ImagePath, count: int = PATH_POINTS) -> Float[np.ndarray, "n"]:
    """z-depth in metres at `count` points of equal arc length in the picture."""
    if path.depth_m is None:
        raise ValueError("expected a path with depths, got one without")
    columns = np.concatenate([path.points, path.depth_m[:, None]], axis=1)
    return resample(columns, count, measure=2)[:, 2]


def depth_errors(depth_m: Float[np.ndarray, "n"], truth_m: Float[np.ndarray, "m"]) -> dict[str, float]:
    """Mean absolute deviation in cm, and shares of the points within tolerances, over depths along a path.

    `ratio@x%` counts errors of at most x % of the true depth; `offset_ratio@x%` errors of the offset from the
    path's start of at most x % of the true offset, where that is a centimetre at least. The paper does not
    say which of the two it means, and they differ by much: a depth of a metre moves by centimetres.
    """
    if depth_m.shape != truth_m.shape:
        raise ValueError(f"expected {len(truth_m)} depths, one a point, got {len(depth_m)}")
    errors = np.abs(depth_m - truth_m)
    shares = {"mad": float(100 * errors.mean())}
    offsets, true_offsets = depth_m - depth_m[0], truth_m - truth_m[0]
    told = np.abs(true_offsets) >= SMALLEST_OFFSET_M
    for tolerance in DEPTH_TOLERANCES:
        within = errors <= tolerance / 100 * truth_m
        shares[f"ratio@{tolerance}%"] = float(within.mean())
        if told.any():
            near = np.abs(offsets - true_offsets)[told] <= tolerance / 100 * np.abs(true_offsets[told])
            shares[f"offset_ratio@{tolerance}%"] = float(near.mean())
    return shares


def _area(box: ImageBox) -> float:
    return (box.right - box.left) * (box.bottom - box.top)
