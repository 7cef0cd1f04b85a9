"""Depth for episodes that were recorded without a sensor, as a derived key (SSM-VLA, Eq. 9).

`depth_estimate.CAM` holds what a single-picture network says of every frame, up to a scale and a shift:
inverse depth, as DepthAnything V2's. Where the network gives depth itself, the key is `relative_depth.CAM`.
`sparse_depth_mm.CAM` holds the few points that are known, 0 elsewhere. What comes out is `depth_mm.CAM`, and
is used like a sensor's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from kinesight.data.episodes import Episode
from kinesight.data.observed import millimetres
from kinesight.geometry.depth_alignment import aligned_depth
from kinesight.types.errors import DataError, lookup

DEPTH, SPARSE = "depth_mm", "sparse_depth_mm"
INVERSE = {"depth_estimate": True, "relative_depth": False}
"""Keys of estimates, and whether they are inverse depth."""


def estimate_of(keys: Collection[str], camera: str) -> str:
    """Which kind of estimate can be aligned for the camera; "" where there is none or no points are known."""
    return _kind(keys, camera) if f"{SPARSE}.{camera}" in keys else ""


def _kind(keys: Collection[str], camera: str) -> str:
    return next((kind for kind in INVERSE if f"{kind}.{camera}" in keys), "")


@dataclass(frozen=True, slots=True)
class AlignedDepth:
    """Episode -> `depth_mm.CAM` of the cameras; a frame that cannot be aligned is invalid throughout."""

    cameras: tuple[str, ...]

    def __call__(self, episode: Episode) -> Mapping[str, np.ndarray]:
        return {f"{DEPTH}.{name}": self._of(episode, name) for name in self.cameras}

    def _of(self, episode: Episode, camera: str) -> np.ndarray:
        kind = _kind(episode.arrays, camera) or next(iter(INVERSE))
        estimates, known = (
            lookup("key of the data set", f"{each}.{camera}", episode.arrays) for each in (kind, SPARSE)
        )
        found, refused = [], []
        for estimate, sparse_mm in zip(estimates, known, strict=True):
            try:
                depth_m, _ = aligned_depth(
                    estimate.astype(np.float32), sparse_mm.astype(np.float32) / 1000, INVERSE[kind]
                )
            except DataError as error:
                refused.append(str(error))
                depth_m = np.zeros(estimate.shape, np.float32)
            found.append(millimetres(depth_m))
        if len(refused) == len(found):
            raise DataError(
                f"episode {episode.index}, {camera}: no frame could be aligned; the first: {refused[0]}"
            )
        return np.stack(found)
