"""Conditional 1D U-Net over an action chunk (Diffusion Policy, Chi et al. 2023).

The number of halvings follows from the horizon: a chunk of four actions bottoms out after two levels.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinesight.nn.layers import FiLM, LevelEmbedding, group_norm


class ResidualBlock1d(nn.Module):
    """Two convolutions with FiLM between them."""

    def __init__(self, inputs: int, outputs: int, condition: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm_first = group_norm(outputs)
        self.film = FiLM(condition, outputs)
        self.second = nn.Conv1d(outputs, outputs, kernel, padding=kernel // 2)
        self.norm_second = group_norm(outputs)
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.film(F.silu(self.norm_first(self.first(x))), condition)
        return self.skip(x) + F.silu(self.norm_second(self.second(h)))


class ActionUNet(nn.Module):
    """Noisy chunk + noise level + condition -> prediction of the chunk's shape."""

    def __init__(
        self, actions: int, condition: int, widths: tuple[int, ...], level_features: int = 64, kernel: int = 3
    ) -> None:
        super().__init__()
        self.level = LevelEmbedding(level_features)
        condition = condition + level_features
        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        inputs = actions
        for i, width in enumerate(widths):
            self.down.append(ResidualBlock1d(inputs, width, condition, kernel))
            last = i + 1 == len(widths)
            self.shrink.append(nn.Identity() if last else nn.Conv1d(width, width, 3, stride=2, padding=1))
            inputs = width
        self.middle = ResidualBlock1d(inputs, inputs, condition, kernel)
        self.up = nn.ModuleList()
        for width in reversed(widths):
            self.up.append(ResidualBlock1d(inputs + width, width, condition, kernel))
            inputs = width
        self.head = nn.Conv1d(inputs, actions, 1)

    def forward(
        self, noisy: Float[Tensor, "b h a"], levels: Float[Tensor, "b"], condition: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b h a"]:
        condition = F.silu(torch.cat([condition, self.level(levels).to(condition.dtype)], dim=-1))
        x = noisy.transpose(1, 2)
        skips = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            x = block(x, condition)
            skips.append(x)
            x = shrink(x)
        x = self.middle(x, condition)
        for block in self.up:
            skip = skips.pop()
            if x.shape[-1] != skip.shape[-1]:
                x = F.interpolate(x, size=skip.shape[-1], mode="nearest")
            x = block(torch.cat([x, skip], dim=1), condition)
        return self.head(x).transpose(1, 2)
