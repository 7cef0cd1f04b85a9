"""Small building blocks shared by all networks."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm of about 16 channels a group. EMA breaks with BatchNorm, so no network here uses it."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // 16)), channels)


def sinusoidal(levels: Float[Tensor, "b"], features: int, period: float = 1000.0) -> Float[Tensor, "b d"]:
    """Sine and cosine features of a noise level in [0, 1]."""
    half = features // 2
    frequencies = torch.exp(-math.log(period) * torch.arange(half, device=levels.device) / half)
    angles = levels[:, None].float() * frequencies * period
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class LevelEmbedding(nn.Module):
    """Noise level -> features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.mlp = nn.Sequential(nn.Linear(features, features), nn.SiLU(), nn.Linear(features, features))

    def forward(self, levels: Float[Tensor, "b"]) -> Float[Tensor, "b d"]:
        return self.mlp(sinusoidal(levels, self.features))


class FiLM(nn.Module):
    """Scale and shift channels by a condition; the identity at the start of training."""

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, condition: Float[Tensor, "b d"]) -> Tensor:
        """x: [b c ...]."""
        scale, shift = self.linear(condition).chunk(2, dim=-1)
        axes = (..., *[None] * (x.ndim - 2))
        return x * (1 + scale[axes]) + shift[axes]


class SelfAttention(nn.Module):
    """Pre-norm multi-head self-attention with a residual connection, over [b n d]."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(features)
        self.qkv = nn.Linear(features, 3 * features, bias=False)
        self.out = nn.Linear(features, features)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        q, k, v = rearrange(self.qkv(self.norm(x)), "b n (s g d) -> s b g n d", s=3, g=self.heads)
        y = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(rearrange(y, "b g n d -> b n (g d)"))
