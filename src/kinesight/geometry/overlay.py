"""Plans, paths and markers drawn on pictures, for people to look at.

Every function returns a new RGB picture and leaves its input alone. Pixels are (x, y) with centres at +0.5,
as everywhere; strokes are anti-aliased at a sixteenth of a pixel.
"""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import UInt8

from kinesight.types.arrays import Depth, Image, Pixels
from kinesight.types.plan import SpatialPlan

Colour = tuple[int, int, int]
"""RGB, 0-255."""

WHITE: Colour = (255, 255, 255)
INK: Colour = (28, 32, 38)
VERB_COLOURS: dict[str, Colour] = {
    "move": (66, 150, 245),
    "reach": (66, 150, 245),
    "grasp": (250, 176, 5),
    "push": (242, 95, 92),
    "pull": (112, 193, 112),
    "strike": (214, 64, 159),
    "slide": (23, 190, 187),
    "adjust": (150, 150, 160),
    "rotate": (150, 110, 230),
}
_SHIFT = 4


def draw_path(picture: Image, pixels_xy: Pixels, colour: Colour = (66, 150, 245), width: int = 2) -> Image:
    """A polyline through pixels [n 2], pale where it starts and full where it ends. NaN breaks the line."""
    canvas = picture.copy()
    count = max(len(pixels_xy) - 1, 1)
    for index, (start, end) in enumerate(pairwise(pixels_xy)):
        if np.isfinite(start).all() and np.isfinite(end).all():
            shade = _blend(colour, WHITE, 0.6 * (1 - (index + 1) / count))
            cv2.line(canvas, _fixed(start), _fixed(end), shade, width, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_marker(
    picture: Image, pixel_xy: np.ndarray, colour: Colour = (242, 95, 92), radius: int = 4
) -> Image:
    """A filled disc with a white rim; nothing where the pixel is NaN."""
    canvas = picture.copy()
    if np.isfinite(pixel_xy).all():
        centre = _fixed(pixel_xy)
        cv2.circle(canvas, centre, (radius + 1) << _SHIFT, WHITE, cv2.FILLED, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, centre, radius << _SHIFT, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_plan(picture: Image, plan: SpatialPlan) -> UInt8[np.ndarray, "taller x 3"]:
    """The plan's rows on a dark strip under the picture, one line each, in the colour of the verb."""
    width = picture.shape[1]
    scale = float(np.clip(width / 420, 0.28, 0.6))
    line = round(30 * scale) + 4
    strip = np.full((line * max(len(plan.rows), 1) + 6, width, 3), INK, np.uint8)
    for index, row in enumerate(plan.rows):
        y = line * (index + 1) - round(6 * scale)
        colour = VERB_COLOURS.get(row.verb, WHITE)
        _text(strip, f"{index + 1} {row.verb}", (5, y), scale, colour)
        _text(strip, _arrows(row.direction), (round(0.36 * width), y), scale, WHITE)
        _text(strip, f"{row.distance_m:.2f} m", (round(0.80 * width), y), scale, WHITE)
    if not plan.rows:
        _text(strip, "nothing to do", (5, line - round(6 * scale)), scale, WHITE)
    return np.concatenate([picture, strip])


def shaded(depth_m: Depth, near: float, far: float) -> Image:
    """Near is bright; invalid pixels are black."""
    share = (far - depth_m) / max(far - near, 1e-6)
    grey = np.where(depth_m > 0, 40 + 215 * share.clip(0, 1), 0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def _arrows(direction: tuple[int, int, int]) -> str:
    words = zip(direction, (("right", "left"), ("down", "up"), ("forward", "back")), strict=True)
    return " ".join(names[sign > 0] for sign, names in words if sign) or "here"


def _text(canvas: np.ndarray, text: str, origin: tuple[int, int], scale: float, colour: Colour) -> None:
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _fixed(pixel_xy: np.ndarray) -> tuple[int, int]:
    """OpenCV counts from the centre of the first pixel and takes fixed-point coordinates."""
    x, y = np.rint((np.clip(pixel_xy, -4096, 8192) - 0.5) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)


def _blend(colour: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round((1 - share) * a + share * o) for a, o in zip(colour, other, strict=True))
    return r, g, b
