"""Pre-norm transformer blocks: with a boolean mask, or over space and then, causally, over time."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinesight.nn.attention import attend


class Attention(nn.Module):
    """x + attention(norm(x)); a mask says which keys (last axis) a query sees."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        assert features % heads == 0, f"{features} features cannot be split into {heads} heads"
        self.heads = heads
        self.norm = nn.LayerNorm(features)
        self.qkv = nn.Linear(features, 3 * features, bias=False)
        self.out = nn.Linear(features, features)

    def forward(
        self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "..."] | None = None, causal: bool = False
    ) -> Float[Tensor, "b n d"]:
        """`mask`: [n n] or [b 1 n n], True where a query may look."""
        q, k, v = rearrange(self.qkv(self.norm(x)), "b n (s g d) -> s b g n d", s=3, g=self.heads)
        return x + self.out(rearrange(attend(q, k, v, mask, causal), "b g n d -> b n (g d)"))


class FeedForward(nn.Module):
    """x + MLP(norm(x))."""

    def __init__(self, features: int, expansion: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, expansion * features),
            nn.GELU(approximate="tanh"),
            nn.Linear(expansion * features, features),
        )

    def forward(self, x: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        return x + self.body(x)


class Block(nn.Module):
    """Self-attention and MLP."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(features, heads)
        self.mlp = FeedForward(features)

    def forward(
        self, x: Float[Tensor, "b n d"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "b n d"]:
        return self.mlp(self.attention(x, mask))


class SpaceTimeBlock(nn.Module):
    """Attention among a frame's tokens, then of every token to its own past, then MLP."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.space = Attention(features, heads)
        self.time = Attention(features, heads)
        self.mlp = FeedForward(features)

    def forward(self, x: Float[Tensor, "b t n d"]) -> Float[Tensor, "b t n d"]:
        b, t, n, _ = x.shape
        x = self.space(x.flatten(0, 1)).unflatten(0, (b, t))
        x = self.time(rearrange(x, "b t n d -> (b n) t d"), causal=True)
        return self.mlp(rearrange(x, "(b n) t d -> b t n d", n=n))


def start_small(module: nn.Module) -> None:
    """Linear layers and embeddings with the usual narrow initialisation of transformers."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.trunc_normal_(part.weight, std=0.02)
            if isinstance(part, nn.Linear) and part.bias is not None:
                nn.init.zeros_(part.bias)


def learned(*shape: int) -> nn.Parameter:
    """Positions and queries."""
    return nn.Parameter(torch.randn(shape) * 0.02)
