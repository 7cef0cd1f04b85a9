"""Boxes and points of what a segmentation shows: the answers to *where is it* that need no person.

Names of a segmentation are "object/part"; one object has as many ids as parts. What shows fewer than
`LEAST_PIXELS` is treated as hidden: nothing fair can be asked about it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool

from kinesight.types.arrays import Segmentation
from kinesight.types.spatial import ImageBox, ImagePoint

LEAST_PIXELS = 20
_NUMBER = re.compile(r"[ _-]?[0-9]+$")


@dataclass(frozen=True, slots=True)
class ObjectMark:
    """One object, or one part of it, as far as it can be seen."""

    name: str
    pixels: int
    box: ImageBox
    """Outer edges of the visible pixels."""
    point: ImagePoint
    """The visible pixel that is farthest from the edge of what is visible."""
    cut_off: bool
    """Whether it reaches the edge of the picture, so that part of it may lie outside."""


def object_marks(
    segmentation: Segmentation,
    names: Mapping[int, str],
    least_pixels: int = LEAST_PIXELS,
    parts: bool = False,
) -> tuple[ObjectMark, ...]:
    """What shows `least_pixels` at least, in the order of the ids; ids without a name are left out.

    By object, the text before the first slash of a name, or by part, the whole name.
    """
    if segmentation.size == 0:
        raise ValueError(f"a segmentation with pixels was expected, got {segmentation.shape}")
    members: dict[str, list[int]] = {}
    for identity in np.unique(segmentation).tolist():
        if identity in names:
            name = names[identity] if parts else names[identity].partition("/")[0]
            members.setdefault(name, []).append(identity)
    masks = ((name, np.isin(segmentation, ids)) for name, ids in members.items())
    return tuple(mask_mark(name, mask) for name, mask in masks if mask.sum() >= max(least_pixels, 1))


def mask_mark(name: str, mask: Bool[np.ndarray, "y x"]) -> ObjectMark:
    """Box and point of a mask that has a pixel at least."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        raise ValueError(f"{name!r} shows no pixel")
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return ObjectMark(
        name=name,
        pixels=int(mask.sum()),
        box=ImageBox(left / width, top / height, right / width, bottom / height, name),
        point=deepest_point(mask, name),
        cut_off=top == 0 or left == 0 or bottom == height or right == width,
    )


def deepest_point(mask: Bool[np.ndarray, "y x"], label: str = "") -> ImagePoint:
    """Centre of the mask's pixel that is farthest from its edge; the picture's edge is one of them."""
    if not mask.any():
        raise ValueError("a mask without a pixel has no point")
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return ImagePoint(float((column + 0.5) / mask.shape[1]), float((row + 0.5) / mask.shape[0]), label)


def counts(names: Iterable[str]) -> dict[str, int]:
    """How many there are of each kind: "block_1" and "block_2" are two of "block"."""
    return dict(Counter(_NUMBER.sub("", name) for name in names))
