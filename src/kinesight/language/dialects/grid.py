"""What one unit of a dialect's numbers is: a pixel, a thousandth of a side, or the side itself.

Qwen2.5-VL counts pixels of the picture *after* its own resize, so numbers mean nothing without the size of
the picture and the model's pixel budget; Qwen2-VL and Qwen3-VL count thousandths, most others write shares.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from kinesight.language.dialects.sketch import Malformed
from kinesight.types.errors import UsageError
from kinesight.types.spatial import ImageSize

Extent = Callable[[ImageSize], tuple[float, float]]
"""Units of the full width and the full height."""
STEEPEST_ASPECT = 200


@dataclass(frozen=True, slots=True)
class Grid:
    """The unit and the precision of written numbers. Reading takes coarser and finer numbers alike."""

    extent: Extent
    unit: str
    """In words, for messages."""
    decimals: int
    """Written digits after the point; with 0, numbers that are read must be whole, too."""
    spare: int = 0
    """The largest written number stays this many units below the extent. Qwen3-VL's thousandths end at 999,
    though some of its replies say 1000; a place in the last unit then comes back up to one unit off."""

    @property
    def half_unit(self) -> float:
        """The largest rounding error of a written number, in units, away from a spared edge."""
        return 0.5 * 10**-self.decimals

    def write(self, shares: tuple[float, ...], size: ImageSize) -> tuple[str, ...]:
        """Shares of width and height in turn (x, y, x, y …) as numerals."""
        extent = self.extent(size)
        units = (min(share * extent[i % 2], extent[i % 2] - self.spare) for i, share in enumerate(shares))
        return tuple(f"{unit:.{self.decimals}f}" for unit in units)

    def read(self, row: tuple[str, ...], size: ImageSize) -> tuple[float, ...]:
        """Numerals x, y, x, y … as shares of width and height."""
        values: list[float] = []
        extents = self.extent(size)
        for index, number in enumerate(row):
            extent = extents[index % 2]
            value = float(number)
            if not 0 <= value <= extent or (self.decimals == 0 and "." in number):
                kind = "numbers" if self.decimals else "whole numbers"
                raise Malformed(f"{kind} from 0 to {extent:g} for {'xy'[index % 2]} ({self.unit})", number)
            values.append(value / extent)
        return tuple(values)


def shares(size: ImageSize) -> tuple[float, float]:
    return 1.0, 1.0


def thousandths(size: ImageSize) -> tuple[float, float]:
    return 1000.0, 1000.0


def original_pixels(size: ImageSize) -> tuple[float, float]:
    return float(size.width), float(size.height)


@dataclass(frozen=True, slots=True)
class ResizedPixels:
    """Pixels of the picture that a Qwen2.5-VL model sees. The budget must be the model's own."""

    min_pixels: int = 4 * 28 * 28
    max_pixels: int = 16384 * 28 * 28
    """As in the published checkpoints; ST4VLA's co-training uses 28² and 224² instead."""
    factor: int = 28
    """Side of the square that becomes one token."""

    def __call__(self, size: ImageSize) -> tuple[float, float]:
        resized = smart_resize(size, self.factor, self.min_pixels, self.max_pixels)
        return float(resized.width), float(resized.height)


def smart_resize(size: ImageSize, factor: int, min_pixels: int, max_pixels: int) -> ImageSize:
    """The size to which Qwen's image processors stretch a picture.

    Each side becomes the nearest multiple of `factor`. Where the area then leaves the budget, both sides are
    scaled by one factor and rounded inwards, so that the budget holds and the aspect ratio nearly does.
    Halves round to the even multiple, as in the reference.
    """
    longer, shorter = max(size.height, size.width), min(size.height, size.width)
    if longer > STEEPEST_ASPECT * shorter:
        raise UsageError(
            f"Qwen takes pictures with sides up to {STEEPEST_ASPECT}:1, got {size.height} x {size.width}."
        )
    height, width = (round(side / factor) * factor for side in (size.height, size.width))
    area = size.height * size.width
    if height * width > max_pixels:
        shrink = math.sqrt(area / max_pixels)
        height, width = (
            max(factor, math.floor(side / shrink / factor) * factor) for side in (size.height, size.width)
        )
    elif height * width < min_pixels:
        grow = math.sqrt(min_pixels / area)
        height, width = (math.ceil(side * grow / factor) * factor for side in (size.height, size.width))
    return ImageSize(height, width)
