"""Pictures that are partly hidden (Spatial Policy, "Robustness to Occlusions via Masking", Fig. 7)."""

import torch
from jaxtyping import UInt8
from torch import Generator, Tensor
from torch.nn import functional as F

CELLS = 8
"""Cells along each edge, whatever the picture's size."""
GREY = 128


def covered(
    images: UInt8[Tensor, "b t y x 3"], share: float, generator: Generator
) -> UInt8[Tensor, "b t y x 3"]:
    """Grey blocks over a random `share` of the cells, in the mean; other ones for each picture."""
    if not share:
        return images
    b, t, height, width, _ = images.shape
    drawn = torch.rand((b, t, CELLS, CELLS), generator=generator, device=generator.device)
    hidden = F.interpolate((drawn < share).to(images.device).float(), (height, width), mode="nearest")
    return torch.where(hidden[..., None] > 0, GREY, images)
