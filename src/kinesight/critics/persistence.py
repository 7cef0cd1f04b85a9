"""Does everything stay in the picture? (Spatial Policy asks its judge for complete objects)

An arm and objects that move rearrange a picture: what a thing covers here it uncovers there. So the area of
every colour stays what it was, but for what the arm now hides or no longer hides. A colour whose area
changes beyond that belongs to an object that vanished, appeared or melted.

Nothing is segmented. The price: an object of the hand's colours is not watched, one of the background's
hardly, and an arm of other colours than its hand's surroundings counts as an object when it comes or goes.
"""

import cv2
import numpy as np
from jaxtyping import Float

from kinesight.critics.hand_track import HandTrack, changed
from kinesight.types.arrays import Image, Video

COLOURS = 12
"""Size of the palette, taken from the first frame."""
SOFTNESS = 10.0
"""Distance in CIELAB at which a pixel begins to count for two neighbouring colours."""
ARM_SHARE = 0.06
ARM_LIFT = 1.5
"""A colour is the arm's if it makes up more than `ARM_SHARE` of the moving hand, and `ARM_LIFT` times as much
of it as of the whole picture."""
LEAST_AREA = 0.15
"""Area from which a colour is watched, as a share of the hand's."""

Colours = Float[np.ndarray, "n 3"]
Palette = Float[np.ndarray, "colours 3"]
Shares = Float[np.ndarray, "n colours"]


def persistence(first: Image, frames: Video, track: HandTrack) -> float:
    """Mean over frames of 1 - the largest share of a colour's area that came or went, in [0, 1]."""
    pixels = _lab(first)
    palette = choose_palette(pixels)
    before = shares(pixels, palette)
    arm = arm_colours(before, _hand_weights(first, frames, track))
    area = before.sum(axis=0)
    watched = ~arm & (area > LEAST_AREA * track.side_px**2)
    if not watched.any():
        return 1.0
    kept = []
    for frame in frames:
        now = shares(_lab(frame), palette)
        lost = unexplained(before, now, arm)[watched] / area[watched]
        kept.append(1.0 - min(float(lost.max()), 1.0))
    return float(np.mean(kept))


def unexplained(before: Shares, now: Shares, arm: np.ndarray) -> Float[np.ndarray, "colours"]:
    """Pixels of each colour that came or went, without those that the arm covers or has uncovered."""
    covered = (before * now[:, arm].sum(axis=1, keepdims=True)).sum(axis=0)
    uncovered = (now * before[:, arm].sum(axis=1, keepdims=True)).sum(axis=0)
    return np.abs(before.sum(axis=0) - covered - (now.sum(axis=0) - uncovered))


def arm_colours(before: Shares, weights: Float[np.ndarray, "n"]) -> np.ndarray:
    """Which colours the hand has; bool [colours]."""
    share = (weights[:, None] * before).sum(axis=0) / weights.sum()
    return (share > ARM_SHARE) & (share > ARM_LIFT * before.mean(axis=0))


def choose_palette(pixels: Colours, count: int = COLOURS) -> Palette:
    """Colours that differ most (farthest point, but for 1.5 % of odd pixels), then their means (k-means)."""
    chosen = np.median(pixels, axis=0)[None]
    apart, rank = np.full(len(pixels), np.inf, np.float32), int(len(pixels) * 0.985)
    for _ in range(count - 1):
        apart = np.minimum(apart, _squared(pixels, chosen[-1:])[:, 0])
        chosen = np.concatenate([chosen, pixels[np.argpartition(apart, rank)[rank]][None]])
    for _ in range(5):
        nearest = _squared(pixels, chosen).argmin(axis=1)
        chosen = np.stack(
            [pixels[nearest == i].mean(axis=0) if (nearest == i).any() else chosen[i] for i in range(count)]
        )
    return chosen


def shares(pixels: Colours, palette: Palette) -> Shares:
    """How much each pixel [n] counts for each colour; rows add up to 1."""
    apart = _squared(pixels, palette)
    weights = np.exp(-(apart - apart.min(axis=1, keepdims=True)) / (2 * SOFTNESS**2))
    return weights / weights.sum(axis=1, keepdims=True)


def _squared(pixels: Colours, palette: Palette) -> Shares:
    """Squared distances, by one matrix product: this is where the time goes."""
    apart = (pixels**2) @ np.ones_like(palette.T) - 2 * pixels @ palette.T + (palette**2).sum(axis=1)
    return np.maximum(apart, 0.0)


def _lab(picture: Image) -> Colours:
    """CIELAB of every pixel; a little blur, so that an edge moved by half a pixel changes nothing."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.8).astype(np.float32) / 255
    return cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB).reshape(-1, 3)


def _hand_weights(first: Image, frames: Video, track: HandTrack) -> Float[np.ndarray, "n"]:
    """How much each pixel of the first frame belongs to the hand: near it, and moving."""
    rows, columns = np.mgrid[: first.shape[0], : first.shape[1]] + 0.5
    squared = (columns - track.positions[0, 0]) ** 2 + (rows - track.positions[0, 1]) ** 2
    near = np.exp(-squared / (2 * (track.side_px / 3) ** 2))
    return (near * (0.05 + changed(first, frames).mean(axis=0))).ravel()
