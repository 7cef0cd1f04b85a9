"""Points as marks in a picture that a network can look at."""

import torch
from jaxtyping import Float
from torch import Tensor

BEHIND = -1e4
"""Pixel coordinate of a point behind the camera: far outside every picture."""


def projected(
    points_world_m: Float[Tensor, "b n 3"], T_world_camera: Float[Tensor, "b 4 4"], K: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b n 2"]:
    """Pixels (x, y) of world points, centres of pixels at +0.5; `BEHIND` for points behind the camera.

    `geometry.camera.project` for batches of examples, each of its own camera.
    """
    rotation, centre = T_world_camera[:, :3, :3], T_world_camera[:, None, :3, 3]
    points = (points_world_m - centre) @ rotation
    depth_m = points[..., 2:]
    pixels = (points / depth_m.clamp(min=1e-3)) @ K[:, :2].mT
    return torch.where(depth_m > 1e-3, pixels, BEHIND)


def point_maps(
    pixels: Float[Tensor, "b n 2"], seen: tuple[int, int], drawn: tuple[int, int], sigma: float = 0.03
) -> Float[Tensor, "b n y x"]:
    """A round mark for every point, 1 at its middle: pixels of a picture of height and width `seen`, marks
    in one of `drawn`. `sigma` is the mark's standard deviation as a share of the picture's edge."""
    axes = []
    for axis, (was, now) in enumerate(zip(seen[::-1], drawn[::-1], strict=True)):
        places = (torch.arange(now, device=pixels.device, dtype=pixels.dtype) + 0.5) / now
        apart = (places - pixels[..., axis, None] / was) / sigma
        axes.append(torch.exp(-0.5 * apart.square()))
    return axes[1][..., :, None] * axes[0][..., None, :]
