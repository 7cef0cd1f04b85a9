"""A calibrated pinhole camera and the crop window that a task uses of it."""

from dataclasses import dataclass

import numpy as np

from kinesight.types.arrays import Matrix3, Matrix4


@dataclass(frozen=True, slots=True)
class Camera:
    """Pinhole camera with OpenCV axes: x to the right, y down, z forward.

    `K` maps camera coordinates in metres to pixels whose centres lie at +0.5, so that the full image
    spans [0, width] x [0, height]. A crop or a resize changes `K`, height and width together.
    """

    name: str
    K: Matrix3
    T_world_camera: Matrix4
    height: int
    width: int

    def __post_init__(self) -> None:
        rotation = self.T_world_camera[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5) or np.linalg.det(rotation) < 0:
            raise ValueError(f"camera {self.name!r}: T_world_camera holds no rotation:\n{rotation}")
        if self.K[0, 0] <= 0 or self.K[1, 1] <= 0:
            raise ValueError(f"camera {self.name!r}: focal lengths must be positive, K is\n{self.K}")


@dataclass(frozen=True, slots=True)
class CropWindow:
    """Part of an image in fractions of its height and width; `FULL_VIEW` is (0, 0, 1, 1)."""

    top: float
    left: float
    height: float
    width: float

    def __post_init__(self) -> None:
        inside = self.top >= 0 and self.left >= 0 and self.height > 0 and self.width > 0
        if not inside or self.top + self.height > 1 + 1e-9 or self.left + self.width > 1 + 1e-9:
            raise ValueError(f"crop window must lie inside the image [0, 1] x [0, 1]: {self}")


FULL_VIEW = CropWindow(0.0, 0.0, 1.0, 1.0)
