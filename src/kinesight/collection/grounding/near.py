"""Frames that are nearly the same as one that is kept already."""

from collections.abc import Hashable

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from kinesight.types.arrays import Image

CELLS = 16
"""Cells of a thumbnail each way."""
COARSE = 4
LARGEST_DIFFERENCE = 6
"""Of 255: two frames are nearly the same where no cell differs by more in any colour."""

Thumbnail = UInt8[np.ndarray, "16 16 3"]


def thumbnail(picture: Image) -> Thumbnail:
    """Mean colours of 16 x 16 cells."""
    return cv2.resize(picture, (CELLS, CELLS), interpolation=cv2.INTER_AREA)


class SeenFrames:
    """Which thumbnails there were, by group; frames of different groups are never compared.

    Compared are all frames of a group. Means of 4 x 4 cells come first: where they differ by more, so does
    one of their cells.
    """

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group] = {}

    def add(self, group: Hashable, small: Thumbnail) -> bool:
        """Keep it and say True, unless a frame of the group is nearly the same."""
        known = self._groups.setdefault(group, _Group())
        if known.near(small).any():
            return False
        known.add(small)
        return True


class _Group:
    """Arrays that grow by doubling."""

    def __init__(self) -> None:
        self._count = 0
        self._fine = np.zeros((8, CELLS * CELLS * 3), np.int16)
        self._coarse = np.zeros((8, COARSE * COARSE * 3), np.float32)

    def near(self, small: Thumbnail) -> Bool[np.ndarray, "n"]:
        fine, coarse = small.astype(np.int16).ravel(), _coarse(small)
        likely = np.all(np.abs(self._coarse[: self._count] - coarse) <= LARGEST_DIFFERENCE, axis=1)
        close = np.abs(self._fine[: self._count][likely] - fine) <= LARGEST_DIFFERENCE
        return np.all(close, axis=1)

    def add(self, small: Thumbnail) -> None:
        if self._count == len(self._fine):
            self._fine = np.concatenate([self._fine, np.zeros_like(self._fine)])
            self._coarse = np.concatenate([self._coarse, np.zeros_like(self._coarse)])
        self._fine[self._count] = small.ravel()
        self._coarse[self._count] = _coarse(small)
        self._count += 1


def _coarse(small: Thumbnail) -> np.ndarray:
    side = CELLS // COARSE
    return small.reshape(COARSE, side, COARSE, side, 3).mean(axis=(1, 3), dtype=np.float32).ravel()
