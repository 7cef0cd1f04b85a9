"""A video network of the size of Spatial Policy's published one, to time ours against.

Only its cost matters here, so it has the published widths and depths (128 channels times 1 to 5, two residual
blocks a level, attention within each frame at an eighth and a sixteenth of the resolution, every convolution
factorised into space and time) and random weights. With the plan's and the text's encoders left out it has
about 195 of the 201 million parameters.
"""

import math
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS, MULTIPLIERS, BLOCKS, ATTEND_AT, HEAD_WIDTH = 128, (1, 2, 3, 4, 5), 2, (8, 16), 32


class Factorised(nn.Module):
    """3 x 3 in space, then 3 in time, over [(b t) c y x]."""

    def __init__(self, inputs: int, outputs: int, frames: int, stride: int = 1) -> None:
        super().__init__()
        self.frames = frames
        self.space = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.time = nn.Conv1d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.space(x)
        height = x.shape[-2]
        x = self.time(rearrange(x, "(b t) c y x -> (b y x) c t", t=self.frames))
        return rearrange(x, "(b y x) c t -> (b t) c y x", y=height, b=x.shape[0] // (height * height))


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, embedding: int, frames: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(32, inputs), nn.SiLU(), Factorised(inputs, outputs, frames))
        self.shift = nn.Linear(embedding, outputs)
        self.second = nn.Sequential(
            nn.GroupNorm(32, outputs), nn.SiLU(), Factorised(outputs, outputs, frames)
        )
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.skip(x) + self.second(self.first(x) + self.shift(embedding)[..., None, None])


class FrameAttention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        qkv = rearrange(self.qkv(self.norm(x)), "b (s h c) y x -> s b h (y x) c", s=3, c=HEAD_WIDTH)
        attended = F.scaled_dot_product_attention(*qkv)
        return x + self.out(rearrange(attended, "b h (y x) c -> b (h c) y x", y=x.shape[-2]))


class Level(nn.Module):
    """One residual block, with attention where the grid is coarse enough."""

    def __init__(self, inputs: int, outputs: int, embedding: int, frames: int, attends: bool) -> None:
        super().__init__()
        self.residual = Residual(inputs, outputs, embedding, frames)
        self.attention = FrameAttention(outputs) if attends else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.attention(self.residual(x, embedding))


class OfficialSize(nn.Module):
    """Noisy frames beside the first frame, noise level -> prediction of the frames' shape."""

    def __init__(self, frames: int = 7) -> None:
        super().__init__()
        embedding = 4 * CHANNELS
        self.embed = nn.Sequential(nn.Linear(CHANNELS, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = Factorised(6, CHANNELS, frames)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.shrink, self.grow = nn.ModuleList(), nn.ModuleList()
        skips, width = [CHANNELS], CHANNELS
        for level, multiplier in enumerate(MULTIPLIERS):
            attends = 2**level in ATTEND_AT
            for _ in range(BLOCKS):
                self.down.append(Level(width, multiplier * CHANNELS, embedding, frames, attends))
                width = multiplier * CHANNELS
                skips.append(width)
            if level + 1 < len(MULTIPLIERS):
                self.shrink.append(Factorised(width, width, frames, stride=2))
                skips.append(width)
        self.middle = nn.ModuleList(
            (Level(width, width, embedding, frames, True), Level(width, width, embedding, frames, False))
        )
        for level, multiplier in reversed(list(enumerate(MULTIPLIERS))):
            attends = 2**level in ATTEND_AT
            for _ in range(BLOCKS + 1):
                self.up.append(Level(width + skips.pop(), multiplier * CHANNELS, embedding, frames, attends))
                width = multiplier * CHANNELS
            if level:
                self.grow.append(Factorised(width, width, frames))
        self.head = nn.Sequential(nn.GroupNorm(32, width), nn.SiLU(), Factorised(width, 3, frames))

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def forward(
        self, noisy: Float[Tensor, "b t 3 y x"], first: Float[Tensor, "b 3 y x"], levels: Float[Tensor, "b"]
    ) -> Float[Tensor, "b t 3 y x"]:
        b, t = noisy.shape[:2]
        embedding = self.embed(_waves(levels)).repeat_interleave(t, 0)
        x = self.stem(torch.cat([noisy, first[:, None].expand(-1, t, -1, -1, -1)], 2).flatten(0, 1))
        skips, down, up = [x], iter(self.down), iter(self.up)
        for level in range(len(MULTIPLIERS)):
            for _ in range(BLOCKS):
                x = next(down)(x, embedding)
                skips.append(x)
            if level + 1 < len(MULTIPLIERS):
                x = self.shrink[level](x)
                skips.append(x)
        for block in self.middle:
            x = block(x, embedding)
        for level in range(len(MULTIPLIERS)):
            for _ in range(BLOCKS + 1):
                x = next(up)(torch.cat([x, skips.pop()], 1), embedding)
            if level + 1 < len(MULTIPLIERS):
                x = self.grow[level](F.interpolate(x, scale_factor=2.0))
        return self.head(x).unflatten(0, (b, t))


def _waves(levels: Float[Tensor, "b"]) -> Float[Tensor, "b d"]:
    half = CHANNELS // 2
    frequencies = torch.exp(-math.log(1e4) * torch.arange(half, device=levels.device) / half)
    angles = 1000 * levels[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)
