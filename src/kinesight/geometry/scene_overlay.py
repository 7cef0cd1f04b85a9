"""What a segmentation and a pose say, drawn on pictures: masks, boxes with a tag, coordinate axes, text.

As in `overlay`, every function returns a new RGB picture and leaves its input alone.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.camera import project
from kinesight.geometry.overlay import INK, WHITE, Colour
from kinesight.types.arrays import Image, Matrix3, Point
from kinesight.types.camera import Camera
from kinesight.types.spatial import ImageBox

PALETTE: tuple[Colour, ...] = (
    (242, 95, 92), (250, 200, 40), (150, 110, 230), (23, 190, 187), (112, 193, 112), (214, 64, 159),
    (160, 120, 80), (130, 150, 30), (90, 110, 160), (190, 60, 40), (60, 150, 110), (150, 160, 175),
)  # fmt: skip
"""Apart from each other, and from the blue and orange of paths."""
AXES: tuple[Colour, Colour, Colour] = ((226, 60, 60), (60, 176, 80), (60, 110, 235))
"""x red, y green, z blue."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4


def draw_mask(picture: Image, mask: Bool[np.ndarray, "y x"], colour: Colour, share: float = 0.2) -> Image:
    """The mask's pixels tinted, so little that their own colour stays, with a full outline."""
    canvas = picture.copy()
    tint = (1 - share) * picture[mask] + share * np.array(colour)
    canvas[mask] = np.rint(tint).astype(np.uint8)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, colour, 1)
    return canvas


def draw_box(picture: Image, box: ImageBox, colour: Colour, width: int = 1) -> Image:
    """The box's outer edges."""
    canvas = picture.copy()
    left, top, right, bottom = _pixels(picture, box)
    cv2.rectangle(canvas, (left, top), (max(right - 1, left), max(bottom - 1, top)), colour, width)
    return canvas


def draw_tag(picture: Image, box: ImageBox, colour: Colour, tag: str) -> Image:
    """A word on a patch of the colour above the box, or below it at the picture's top."""
    canvas = picture.copy()
    height, wide = picture.shape[:2]
    left, top, _, bottom = _pixels(picture, box)
    scale = tag_scale(height)
    (text_width, text_height), _ = cv2.getTextSize(tag, _FONT, scale, 1)
    patch_height = text_height + 5
    x = int(np.clip(left, 0, max(wide - text_width - 5, 0)))
    y = top - patch_height if top >= patch_height else min(bottom, height - patch_height)
    cv2.rectangle(canvas, (x, y), (x + text_width + 4, y + patch_height - 1), colour, cv2.FILLED)
    ink = INK if sum(colour) > 330 else WHITE
    return draw_text(canvas, tag, (x + 2, y + text_height + 2), scale, ink)


def tag_scale(height: int) -> float:
    """Of the font, for a picture of so many pixels."""
    return float(np.clip(height / 1000, 0.32, 0.5))


def draw_axes(
    picture: Image, camera: Camera, position: Point, rotation: Matrix3, length_m: float = 0.05, width: int = 2
) -> Image:
    """The axes of a pose: x red, y green, z blue; nothing where it lies behind the camera."""
    ends = position + length_m * rotation.T
    pixels = project(np.concatenate([position[None], ends]), camera)
    canvas = picture.copy()
    if not np.isfinite(pixels).all():
        return canvas
    origin, *tips = (_fixed(pixel) for pixel in pixels)
    for tip in tips:
        cv2.line(canvas, origin, tip, WHITE, width + 2, cv2.LINE_AA, _SHIFT)
    for tip, colour in zip(tips, AXES, strict=True):
        cv2.line(canvas, origin, tip, colour, width, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_text(
    picture: Image, text: str, origin: tuple[int, int], scale: float, colour: Colour, width: int = 1
) -> Image:
    """One line whose letters stand on `origin` (x, y)."""
    canvas = picture.copy()
    cv2.putText(canvas, plain(text), origin, _FONT, scale, colour, width, cv2.LINE_AA)
    return canvas


def plain(text: str) -> str:
    """OpenCV's fonts have ASCII only."""
    return text.encode("ascii", "replace").decode()


def text_width(text: str, scale: float, width: int = 1) -> int:
    """Pixels that a line takes."""
    return int(cv2.getTextSize(plain(text), _FONT, scale, width)[0][0])


def rotation_xyzw(quaternion: Float[np.ndarray, "4"]) -> Matrix3:
    """The rotation of a quaternion, which need not have length 1."""
    x, y, z, w = np.asarray(quaternion, np.float64) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _pixels(picture: Image, box: ImageBox) -> tuple[int, int, int, int]:
    """Edges of the box, the lower and right ones just outside of it."""
    height, width = picture.shape[:2]
    left, right = (round(edge * width) for edge in (box.left, box.right))
    return left, round(box.top * height), right, round(box.bottom * height)


def _fixed(pixel_xy: Float[np.ndarray, "2"]) -> tuple[int, int]:
    x, y = np.rint((np.clip(pixel_xy, -4096, 8192) - 0.5) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)
