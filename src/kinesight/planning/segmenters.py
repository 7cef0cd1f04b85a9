"""Segmenters: the simulator's own ids, and clusters found in colour and depth alone."""

from dataclasses import dataclass

import numpy as np

from kinesight.geometry.camera import pixel_centres, unproject
from kinesight.geometry.clusters import clusters, level_plane
from kinesight.geometry.colours import colour_ids
from kinesight.geometry.plane import signed_distance
from kinesight.types.errors import UsageError
from kinesight.types.observation import View, ViewRequest
from kinesight.types.segments import Segments


@dataclass(frozen=True, slots=True)
class SimulatorSegmenter:
    """The ids and names that the environment renders; privileged."""

    @property
    def request(self) -> ViewRequest:
        return ViewRequest(rgb=False, segmentation=True)

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("segmentation",)

    def segment(self, view: View) -> Segments:
        if view.segmentation is None:
            raise UsageError(
                "The simulator's segmenter needs its ids; request them with ViewRequest(segmentation=True)."
            )
        return Segments(view.segmentation, view.names)


@dataclass(frozen=True, slots=True)
class ClusterSegmenter:
    """What stands on the level plane, in pieces of one colour that hang together; needs no training.

    Where no level plane is found, or no depth, there are no instances.
    """

    above_m: float = 0.008
    """Height over the plane from which a point belongs to a thing: what a flat thing loses at its foot."""
    gap_m: float = 0.02
    """Distance up to which neighbouring pixels of one colour belong together."""
    min_pixels: int = 4
    """Pixels below which a cluster is noise."""

    def __post_init__(self) -> None:
        if not (self.above_m > 0 and self.gap_m > 0 and self.min_pixels >= 1):
            raise UsageError(f"above_m, gap_m and min_pixels must be positive, got {self}")

    @property
    def request(self) -> ViewRequest:
        return ViewRequest(rgb=True, depth=True)

    @property
    def privileged(self) -> tuple[str, ...]:
        return ()

    def segment(self, view: View) -> Segments:
        if view.rgb is None or view.depth_m is None:
            raise UsageError(
                "Clusters need colour and depth; request them with ViewRequest(rgb=True, depth=True)."
            )
        points = unproject(pixel_centres(view.camera), view.depth_m.reshape(-1), view.camera)
        plane = level_plane(points)
        shape = view.depth_m.shape
        if plane is None:
            return Segments(np.zeros(shape, np.int32))
        above = (signed_distance(points, plane) > self.above_m).reshape(shape)
        grid = points.reshape(*shape, 3)
        return Segments(clusters(grid, above, colour_ids(view.rgb), self.gap_m, self.min_pixels))
