"""Encoders of what a network is told: the spatial plan table and the instruction's words."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinesight.types.plan import DIRECTIONS, PAD_VERB, VERBS


class PlanEncoder(nn.Module):
    """Plan rows -> tokens (Spatial Policy, Eq. 1): MLP([verb; direction; distance]).

    Padded rows are masked out when the tokens are pooled.
    """

    def __init__(self, features: int, part: int = 64) -> None:
        super().__init__()
        self.verb = nn.Embedding(len(VERBS), part)
        self.direction = nn.Embedding(DIRECTIONS, part)
        self.distance = nn.Sequential(nn.Linear(1, part), nn.SiLU(), nn.Linear(part, part))
        self.row = nn.Sequential(nn.Linear(3 * part, features), nn.SiLU(), nn.Linear(features, features))

    def forward(
        self, verbs: Int[Tensor, "b k"], directions: Int[Tensor, "b k"], distances_m: Float[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        decimetres = 10 * distances_m[..., None]
        parts = [self.verb(verbs), self.direction(directions), self.distance(decimetres)]
        return self.row(torch.cat(parts, dim=-1)), verbs != PAD_VERB


class WordEncoder(nn.Module):
    """Word ids (0 pads) -> tokens."""

    def __init__(self, vocabulary: int, features: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, features)
        self.mlp = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, features), nn.SiLU())

    def forward(self, words: Int[Tensor, "b n"]) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]:
        return self.mlp(self.embedding(words)), words != 0


class TokenPool(nn.Module):
    """Tokens -> one vector: a learned query attends to the valid tokens, each marked by kind and place."""

    def __init__(self, features: int, places: int, heads: int = 4) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(places, features) * 0.02)
        self.query = nn.Parameter(torch.randn(1, 4, features) * 0.02)
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)
        self.norm = nn.LayerNorm(features)
        self.out = nn.Sequential(nn.Linear(4 * features, features), nn.SiLU(), nn.Linear(features, features))

    def forward(self, tokens: Float[Tensor, "b n d"], valid: Bool[Tensor, "b n"]) -> Float[Tensor, "b d"]:
        tokens = self.norm(tokens + self.place[: tokens.shape[1]])
        # One always-valid summary (the query itself) keeps the softmax defined for an empty token list.
        query = self.query.expand(len(tokens), -1, -1)
        keys = torch.cat([query, tokens], dim=1)
        ignored = torch.cat([valid.new_zeros(len(valid), query.shape[1]), ~valid], dim=1)
        pooled, _ = self.attention(query, keys, keys, key_padding_mask=ignored, need_weights=False)
        return self.out(pooled.flatten(1))
