"""Places in a picture, independent of its size and of how a model writes them.

x runs to the right and y down, both as shares of the full width and height: (0, 0) is the outer corner of the
first pixel, (1, 1) that of the last one. A share times the number of pixels is a pixel coordinate with
centres at +0.5. Text forms of these values are in `kinesight.language.dialects`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

Kind = Literal["points", "boxes", "path"]
KINDS: tuple[Kind, ...] = ("points", "boxes", "path")
LONGEST_LABEL = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Pixels of a picture before any model resizes it."""

    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a picture has at least one pixel a side, got {self.height} x {self.width}")


@dataclass(frozen=True, slots=True)
class ImagePoint:
    """A point, and what it points at if that was said."""

    x: float
    y: float
    label: str = ""

    def __post_init__(self) -> None:
        _check_shares("a point", self.x, self.y)
        _check_label(self.label)

    @property
    def xy(self) -> tuple[float, float]:
        return self.x, self.y


@dataclass(frozen=True, slots=True)
class ImageBox:
    """An upright box by its outer edges; it may be thin, but not turned inside out."""

    left: float
    top: float
    right: float
    bottom: float
    label: str = ""

    def __post_init__(self) -> None:
        _check_shares("a box", *self.edges)
        if self.left > self.right or self.top > self.bottom:
            raise ValueError(f"a box goes from left-top to right-bottom, got {self.edges}")
        _check_label(self.label)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True)
class GripperEvent:
    """The gripper opens or closes at point `index` of a path, counted from 0."""

    index: int
    opens: bool


@dataclass(frozen=True, slots=True, eq=False)
class ImagePath:
    """A path through the picture, with z-depth and gripper events where they are known."""

    points: Float[np.ndarray, "n 2"]
    """x, y as shares of width and height."""
    depth_m: Float[np.ndarray, "n"] | None = None
    events: tuple[GripperEvent, ...] = ()
    """In the order of the points."""

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 2 or len(self.points) == 0:
            raise ValueError(f"a path is an array [n 2] with a point at least, got {self.points.shape}")
        _check_shares("a path", *self.points.ravel().tolist())
        if self.depth_m is not None:
            if self.depth_m.shape != (len(self.points),):
                raise ValueError(f"expected {len(self.points)} depths, one a point, got {self.depth_m.shape}")
            if not (np.isfinite(self.depth_m).all() and (self.depth_m > 0).all()):
                raise ValueError(f"z-depths are metres above 0, got {self.depth_m}")
        indices = [event.index for event in self.events]
        if indices != sorted(indices) or any(not 0 <= index < len(self.points) for index in indices):
            raise ValueError(f"gripper events belong to points 0 … {len(self.points) - 1}, got {indices}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImagePath):
            return NotImplemented
        return (
            np.array_equal(self.points, other.points)
            and _same_depth(self.depth_m, other.depth_m)
            and self.events == other.events
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # arrays have none


Answer: TypeAlias = tuple[ImagePoint, ...] | tuple[ImageBox, ...] | ImagePath
"""What a question about places is answered with: points, boxes (at least one of them) or one path."""


def kind_of(answer: Answer) -> Kind:
    if isinstance(answer, ImagePath):
        return "path"
    if not answer:
        raise ValueError("an answer holds a point or a box at least, got none")
    kinds = {type(mark) for mark in answer}
    if kinds == {ImagePoint}:
        return "points"
    if kinds == {ImageBox}:
        return "boxes"
    raise ValueError(f"an answer is all points or all boxes, got {sorted(kind.__name__ for kind in kinds)}")


def _check_shares(what: str, *values: float) -> None:
    # NaN fails the comparison as well
    if not all(0 <= value <= 1 for value in values):
        raise ValueError(f"{what} lies inside the picture, each coordinate in [0, 1], got {values}")


def _check_label(label: str) -> None:
    if len(label) > LONGEST_LABEL or not label.isprintable() or label != label.strip():
        raise ValueError(
            f"a label is one printable line of at most {LONGEST_LABEL} characters without outer spaces,"
            f" got {label!r:.80}"
        )


def _same_depth(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))
