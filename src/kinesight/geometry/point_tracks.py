"""Pixels followed from one picture to the next, there and back (Lucas and Kanade 1981, with pyramids).

A point that does not come back to where it started was covered, has left the picture, or slid along an edge;
it counts as lost (Kalal et al. 2010).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool

from kinesight.types.arrays import Image, Pixels
from kinesight.types.errors import UsageError


@dataclass(frozen=True, slots=True)
class FollowConfig:
    """How a point is searched for."""

    window_px: int = 11
    """Side of the neighbourhood that is compared."""
    levels: int = 3
    """Pictures of half the size on top of the first, each of which doubles how far a point may move."""
    back_px: float = 0.7
    """Distance from where it started up to which a point has come back."""

    def __post_init__(self) -> None:
        if self.window_px < 3 or self.levels < 0 or not self.back_px > 0:
            raise UsageError(f"expected window_px >= 3, levels >= 0 and back_px > 0, got {self}")


def follow(
    before: Image,
    after: Image,
    pixels: Pixels,
    guess: Pixels | None = None,
    config: FollowConfig | None = None,
) -> tuple[Pixels, Bool[np.ndarray, "n"]]:
    """Where pixels [n 2] of `before` are in `after`, and which of them came back.

    The search begins at `guess` [n 2], by default where they were. Lost points keep their guess.
    """
    config = config or FollowConfig()
    expected = np.asarray(pixels if guess is None else guess, np.float64)
    if not len(pixels):
        return expected, np.zeros(0, bool)
    start, there = _opencv(pixels), _opencv(expected)
    options = {
        "winSize": (config.window_px, config.window_px),
        "maxLevel": config.levels,
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, there.copy(), **options)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, start.copy(), **options)
    moved = there[:, 0].astype(np.float64) + 0.5
    height, width = after.shape[:2]
    inside = np.all((moved >= 0) & (moved <= (width, height)), axis=1)
    returned = (found[:, 0] > 0) & (returned[:, 0] > 0)
    kept = inside & returned & (np.linalg.norm(back[:, 0] - start[:, 0], axis=1) <= config.back_px)
    return np.where(kept[:, None], moved, expected), kept


def _opencv(pixels: Pixels) -> np.ndarray:
    """OpenCV counts from the centre of the first pixel."""
    return np.ascontiguousarray((np.asarray(pixels) - 0.5).astype(np.float32)[:, None])
