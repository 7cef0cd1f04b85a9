"""Small building blocks shared by all networks."""

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from kinesight.nn.attention import attend


def to_unit(images: UInt8[Tensor, "b t y x 3"]) -> Float[Tensor, "b t 3 y x"]:
    """uint8 pictures -> [-1, 1], channels first."""
    return rearrange(images, "b t y x c -> b t c y x").float() / 127.5 - 1


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm of about 16 channels a group; averaged weights do not fit BatchNorm's running statistics."""
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


class TransformerBlock(nn.Module):
    """Self-attention and MLP over [b n d], both modulated by a condition (adaptive layer norm, DiT)."""

    def __init__(self, features: int, heads: int, condition: int, expansion: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(features, elementwise_affine=False)
        self.norm_mlp = nn.LayerNorm(features, elementwise_affine=False)
        self.modulation = nn.Linear(condition, 4 * features)
        self.qkv = nn.Linear(features, 3 * features, bias=False)
        self.out = nn.Linear(features, features)
        self.mlp = nn.Sequential(
            nn.Linear(features, expansion * features),
            nn.GELU(approximate="tanh"),
            nn.Linear(expansion * features, features),
        )
        for last in (self.modulation, self.out, self.mlp[-1]):
            assert isinstance(last, nn.Linear), "the branches end in linear layers"
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Float[Tensor, "b n d"], condition: Float[Tensor, "b e"]) -> Float[Tensor, "b n d"]:
        scale_a, shift_a, scale_m, shift_m = self.modulation(condition)[:, None].chunk(4, dim=-1)
        x = x + self._attend(self.norm_attention(x) * (1 + scale_a) + shift_a)
        return x + self.mlp(self.norm_mlp(x) * (1 + scale_m) + shift_m)

    def _attend(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        q, k, v = rearrange(self.qkv(x), "b n (s g d) -> s b g n d", s=3, g=self.heads)
        return self.out(rearrange(attend(q, k, v), "b g n d -> b n (g d)"))


class GatedCrossAttention(nn.Module):
    """Tokens look at a list of others, behind a gate that is closed at first (GLIGEN, Li et al. 2023).

    x + tanh(g) attention(x, others), then x + tanh(g') MLP(x), with g = g' = 0 at first: the network begins
    as the one without it. A learned token stands for "nothing" and is always in the list, so that the softmax
    is defined when no other token is valid.
    """

    def __init__(self, features: int, heads: int, others: int, expansion: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.nothing = nn.Parameter(torch.randn(others) * 0.02)
        self.norm_attention = nn.LayerNorm(features)
        self.norm_others = nn.LayerNorm(others)
        self.norm_mlp = nn.LayerNorm(features)
        self.query = nn.Linear(features, features, bias=False)
        self.key_value = nn.Linear(others, 2 * features, bias=False)
        self.out = nn.Linear(features, features)
        self.mlp = nn.Sequential(
            nn.Linear(features, expansion * features),
            nn.GELU(approximate="tanh"),
            nn.Linear(expansion * features, features),
        )
        self.gates = nn.Parameter(torch.zeros(2))

    def forward(
        self, x: Float[Tensor, "b n d"], others: Float[Tensor, "b k e"], valid: Bool[Tensor, "b k"]
    ) -> Float[Tensor, "b n d"]:
        attention, mlp = self.gates.tanh()
        x = x + attention * self._attend(self.norm_attention(x), others, valid)
        return x + mlp * self.mlp(self.norm_mlp(x))

    def _attend(self, x: Tensor, others: Tensor, valid: Tensor) -> Tensor:
        nothing = self.nothing.to(others.dtype).expand(len(others), 1, -1)
        others = self.norm_others(torch.cat([nothing, others], dim=1))
        mask = F.pad(valid, (1, 0), value=True)[:, None, None]
        q = rearrange(self.query(x), "b n (g d) -> b g n d", g=self.heads)
        k, v = rearrange(self.key_value(others), "b k (s g d) -> s b g k d", s=2, g=self.heads)
        return self.out(rearrange(attend(q, k, v, mask), "b g n d -> b n (g d)"))
