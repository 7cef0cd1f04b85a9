"""Do things stay where nobody touches them? (Spatial Policy asks its judge for object completeness)

In a manipulation scene a picture changes where the arm is, where it was, and where it has moved something.
So every changed area must hang together with a place that the hand has been at. An object that vanishes,
appears or jumps elsewhere is a change without a cause.
"""

import cv2
import numpy as np
from jaxtyping import Bool

from kinesight.critics.hand_track import HandTrack, changed
from kinesight.types.arrays import Image, Video

REACH = 0.75
"""Radius around the hand, in sides of its patch, within which it can cause a change."""


def persistence(first: Image, frames: Video, track: HandTrack) -> float:
    """Mean over frames of 1 / (1 + area without a cause / area of the hand), in [0, 1]."""
    soft = cv2.GaussianBlur(first, (0, 0), 1.0)
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in frames])
    touched = _disc(first.shape[:2], track.positions[0], REACH * track.side_px)
    scores = []
    for moved, place in zip(changed(soft, blurred), track.positions[1:], strict=True):
        touched = touched | _disc(first.shape[:2], place, REACH * track.side_px)
        scores.append(1 / (1 + uncaused(moved, touched) / track.side_px**2))
    return float(np.mean(scores))


def uncaused(moved: Bool[np.ndarray, "y x"], touched: Bool[np.ndarray, "y x"]) -> int:
    """Pixels of changed areas that do not meet a touched one."""
    # Lines of one pixel are edges that a soft frame shows elsewhere by a fraction of a pixel.
    opened = cv2.morphologyEx(moved.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, labels = cv2.connectedComponents(opened, connectivity=8)
    caused = np.zeros(count, bool)
    caused[np.unique(labels[touched])] = True
    caused[0] = True  # what has not changed needs no cause
    return int((~caused[labels]).sum())


def _disc(size: tuple[int, int], centre: np.ndarray, radius: float) -> Bool[np.ndarray, "y x"]:
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    return np.hypot(columns - centre[0], rows - centre[1]) <= radius
