"""Depth in metres from a relative estimate and a few known points (SSM-VLA, Eq. 9).

Single-picture networks know depth up to a scale and a shift. Sparse points of known depth, from structure
from motion or a few sensor readings, give both by linear regression in closed form. Networks such as
DepthAnything V2 give *inverse* depth up to both: fitted to depth itself they would be bent, so the fit is
made in disparity, 1 / depth, and turned round.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinesight.types.arrays import Depth
from kinesight.types.errors import DataError

LEAST_POINTS = 8
"""Fewer than this are noise, whatever they say."""
OUTLIER = 4.0
"""Residuals beyond so many median ones are left out of the second fit."""
LEAST_EXPLAINED, MOST_ERROR = 0.5, 0.05
"""A line that explains less of the known points' variance, and misses them by a larger share, is chance."""
FARTHEST_M = 65.0
"""Deeper is invalid, as in the store."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """known ≈ scale · estimate + shift, in metres or, for inverse depth, in 1 / metre."""

    scale: float
    shift: float
    points: int
    """Known points that it rests on."""
    explained: float
    """Share of their variance that the line explains (R²)."""
    error: float
    """Root mean square of what is left, as a share of their mean."""


def fit_line(estimate: Float[np.ndarray, "n"], known: Float[np.ndarray, "n"]) -> Alignment:
    """Least squares for scale and shift from the 2 x 2 normal equations, centred.

    Raises `DataError` where the points do not decide them, or say that nearer is farther.
    """
    if len(estimate) < LEAST_POINTS:
        raise DataError(
            f"alignment of depth needs at least {LEAST_POINTS} known points, there are {len(estimate)}"
        )
    x = estimate.astype(np.float64) - estimate.mean(dtype=np.float64)
    y = known.astype(np.float64) - known.mean(dtype=np.float64)
    spread = float(x @ x)
    if spread <= 1e-12 * float(np.square(estimate, dtype=np.float64).sum()):
        raise DataError(
            f"alignment of depth: the estimate is {estimate[0]:.4g} at all {len(estimate)} known points, "
            "which says nothing about its scale"
        )
    scale = float(x @ y) / spread
    if not scale > 0:
        raise DataError(
            f"alignment of depth: the fitted scale is {scale:.4g}; estimate and known points disagree about "
            "what is nearer, or one is depth and the other inverse depth"
        )
    shift = float(known.mean(dtype=np.float64)) - scale * float(estimate.mean(dtype=np.float64))
    middle, left = float(known.mean(dtype=np.float64)), float(np.square(y - scale * x).sum())
    error = (left / len(estimate)) ** 0.5 / middle
    return Alignment(scale, shift, len(estimate), 1 - left / float(y @ y), error)


def robust_line(estimate: Float[np.ndarray, "n"], known: Float[np.ndarray, "n"]) -> Alignment:
    """The line through the points without those that are far from a first line.

    Raises `DataError` where it explains little of how the rest vary and misses them by much, as lines through
    chance do; of a flat scene a good line may explain little, but misses by little too.
    """
    first = fit_line(estimate, known)
    residual = np.abs(first.scale * estimate + first.shift - known)
    near = residual <= OUTLIER * max(float(np.median(residual)), 1e-9)
    few = near.all() or near.sum() < LEAST_POINTS
    line = first if few else fit_line(estimate[near], known[near])
    if line.explained < LEAST_EXPLAINED and line.error > MOST_ERROR:
        raise DataError(
            f"alignment of depth: estimate and {line.points} known points hardly go together, a line "
            f"explains {line.explained:.0%} of how the points vary and misses them by {line.error:.0%}"
        )
    return line


def aligned_depth(
    estimate: Float[np.ndarray, "y x"], sparse_m: Depth, inverse: bool = True
) -> tuple[Depth, Alignment]:
    """Dense depth [m] from a relative estimate and sparse depth, 0 where it is unknown.

    `inverse`: the estimate is inverse depth, larger where it is nearer. Where the line gives no depth that a
    camera could see, the result is 0, invalid.
    """
    there: Bool[np.ndarray, "y x"] = (sparse_m > 0) & np.isfinite(sparse_m) & np.isfinite(estimate)
    known = sparse_m[there].astype(np.float64)
    line = robust_line(estimate[there].astype(np.float64), 1 / known if inverse else known)
    value = line.scale * estimate.astype(np.float64) + line.shift
    depth_m = 1 / np.where(value > 1 / FARTHEST_M, value, np.inf) if inverse else value
    good = np.isfinite(depth_m) & (depth_m > 0) & (depth_m <= FARTHEST_M)
    return np.where(good, depth_m, 0).astype(np.float32), line
