"""Depth for episodes that were recorded without a sensor, as a derived key (SSM-VLA, Eq. 9).

`depth_estimate.CAM` holds what a single-picture network says of every frame, `sparse_depth_mm.CAM` the few
points that are known, 0 elsewhere. What comes out is `depth_mm.CAM`, and is used like a sensor's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kinesight.data.episodes import Episode
from kinesight.data.observed import millimetres
from kinesight.geometry.depth_alignment import aligned_depth
from kinesight.types.errors import DataError, lookup

ESTIMATE, SPARSE = "depth_estimate", "sparse_depth_mm"


@dataclass(frozen=True, slots=True)
class AlignedDepth:
    """Episode -> `depth_mm.CAM`; a frame that cannot be aligned is invalid throughout."""

    inverse: bool = True
    """Whether the estimate is inverse depth, as DepthAnything V2's is."""

    def __call__(self, episode: Episode) -> Mapping[str, np.ndarray]:
        return {f"depth_mm.{name}": self._of(episode, name) for name in episode.cameras}

    def _of(self, episode: Episode, camera: str) -> np.ndarray:
        estimates, known = (
            lookup("key of the data set", f"{kind}.{camera}", episode.arrays) for kind in (ESTIMATE, SPARSE)
        )
        found, refused = [], []
        for estimate, sparse_mm in zip(estimates, known, strict=True):
            try:
                depth_m, _ = aligned_depth(
                    estimate.astype(np.float32), sparse_mm.astype(np.float32) / 1000, self.inverse
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
