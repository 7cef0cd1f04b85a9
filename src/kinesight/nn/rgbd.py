"""Predicted RGB-D frames: how they are drawn on top of a known one, and how far they are from the true one.

Losses are those of Farsighted-LAM (Eq. 4 and 5), for every frame. Colours lie in [0, 1]; depth is in metres
and has one channel; 0 is an invalid pixel, which is never trained on.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinesight.nn.pictures import resized
from kinesight.nn.vit import from_patches
from kinesight.types.arrays import Image, Video

MOVING = 16 / 255
"""Change of a colour that counts as motion."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Predicted pictures."""

    rgb: Float[Tensor, "b 3 y x"]
    changed: Float[Tensor, "b 1 y x"]
    """How much of each pixel was drawn, 0 where the known frame shows through."""
    drawn: Float[Tensor, "b 3 y x"]
    """What was drawn, before it was mixed with the known frame."""
    depth_m: Float[Tensor, "b 1 y x"] | None


class FrameHead(nn.Module):
    """One token a patch -> a frame, pasted over a known one where it differs.

    What does not move stays as sharp as it was, and a network that says nothing copies: it has to earn every
    pixel that it changes.
    """

    def __init__(self, features: int, patch: int, grid: tuple[int, int], depth: bool) -> None:
        super().__init__()
        self.patch, self.grid, self.depth = patch, grid, depth
        self.norm = nn.LayerNorm(features)
        self.out = nn.Linear(features, (5 if depth else 4) * patch**2)

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        rgb: Float[Tensor, "b 3 y x"],
        depth_m: Float[Tensor, "b 1 y x"] | None = None,
    ) -> Frames:
        """Without a known depth the new one is drawn everywhere."""
        pixels = from_patches(self.out(self.norm(tokens)).float(), self.patch, self.grid)
        drawn, changed = torch.sigmoid(pixels[:, :3]), torch.sigmoid(pixels[:, 3:4] - 2)
        new_depth = F.softplus(pixels[:, 4:]) if self.depth else None
        if new_depth is not None and depth_m is not None:
            mixed = torch.lerp(depth_m, new_depth, changed)
            new_depth = torch.where(depth_m > 0, mixed, new_depth)
        return Frames(torch.lerp(rgb, drawn, changed), changed, drawn, new_depth)


def colour_error(predicted: Float[Tensor, "b 3 y x"], wanted: Float[Tensor, "b 3 y x"]) -> Float[Tensor, "b"]:
    """First part of Eq. 4, as a mean over pixels."""
    return (predicted - wanted).square().mean((1, 2, 3))


def depth_error(
    predicted_m: Float[Tensor, "b 1 y x"],
    wanted_m: Float[Tensor, "b 1 y x"],
    rgb: Float[Tensor, "b 3 y x"],
) -> Float[Tensor, "b"]:
    """Eq. 5 with its edge weight at every pixel, once along x and once along y.

    As printed, the weight stands outside the mean over pixels; there it would weigh whole pictures.
    """
    error = torch.log1p((predicted_m - wanted_m).abs())
    valid = (wanted_m > 0).float()
    along_x = _mean(error[..., :-1] * edge_weight(rgb, -1), valid[..., :-1])
    along_y = _mean(error[..., :-1, :] * edge_weight(rgb, -2), valid[..., :-1, :])
    return along_x + along_y


def edge_weight(rgb: Float[Tensor, "b 3 y x"], axis: int) -> Float[Tensor, "b 1 h w"]:
    """exp(-|gradient|) between neighbours along the axis: depth may jump where colour does."""
    return torch.exp(-rgb.diff(dim=axis).abs().mean(1, keepdim=True))


def _mean(values: Tensor, weight: Tensor) -> Float[Tensor, "b"]:
    return (values * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1)


def moving(now: Float[Tensor, "b 3 y x"], later: Float[Tensor, "b 3 y x"]) -> Bool[Tensor, "b y x"]:
    return ((later - now).abs() > MOVING).any(1)


def moving_error(
    predicted: Float[Tensor, "b 3 y x"], wanted: Float[Tensor, "b 3 y x"], region: Bool[Tensor, "b y x"]
) -> float:
    """Mean absolute difference in the region; NaN where nothing moves."""
    return float((predicted - wanted).abs().mean(1)[region].mean())


def pasted(now: Image, frames: Frames) -> Video:
    """Drawn frames at the size of a known one, which stays sharp wherever nothing was drawn."""
    size = (now.shape[0], now.shape[1])
    known = torch.from_numpy(now.copy()).to(frames.rgb.device).permute(2, 0, 1)[None] / 255
    drawn = resized(frames.drawn[None], size)[0]
    changed = resized(frames.changed[None], size)[0]
    mixed = torch.lerp(known.expand_as(drawn), drawn, changed)
    return (255 * mixed).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
