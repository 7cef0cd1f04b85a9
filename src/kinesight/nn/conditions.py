"""Encoders of what a network is told: the spatial plan table, points in space, the instruction's words."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinesight.types.plan import DIRECTIONS, MAX_ROWS, PAD_VERB, VERBS


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


class PlacedPlanEncoder(nn.Module):
    """Plan rows -> tokens that know their place in the table, for whoever looks at them one by one."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.rows = PlanEncoder(features)
        self.place = nn.Parameter(torch.randn(MAX_ROWS, features) * 0.02)

    def forward(
        self, verbs: Int[Tensor, "b k"], directions: Int[Tensor, "b k"], distances_m: Float[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b k d"], Bool[Tensor, "b k"]]:
        tokens, valid = self.rows(verbs, directions, distances_m)
        return tokens + self.place[: tokens.shape[1]], valid


def positions_and_offsets(
    points_world_m: Float[Tensor, "b n 3"], T_world_camera: Float[Tensor, "b 4 4"]
) -> Float[Tensor, "b d"]:
    """The first point's position and the way from each point to the next, along the plan axes [m].

    The plan axes are the camera's, all turned round (see `geometry.plan_frame`). It is the official code's
    vector of absolute positions, three numbers a point, after a linear map: the offsets, which the paper
    speaks of, are centimetres and would be small differences of large numbers.
    """
    rotation, centre = T_world_camera[:, :3, :3], T_world_camera[:, None, :3, 3]
    along_axes = -(points_world_m - centre) @ rotation
    return torch.cat([along_axes[:, :1], along_axes.diff(dim=1)], dim=1).flatten(1)


class PointEncoder(nn.Module):
    """Coordinates in metres -> one token (Spatial Policy, variant "Distance")."""

    def __init__(self, coordinates: int, features: int, hidden: int = 256) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(coordinates, hidden), nn.SiLU(), nn.Linear(hidden, features))

    def forward(
        self, coordinates_m: Float[Tensor, "b c"]
    ) -> tuple[Float[Tensor, "b 1 d"], Bool[Tensor, "b 1"]]:
        decimetres = 10 * coordinates_m
        valid = torch.ones(len(coordinates_m), 1, dtype=torch.bool, device=coordinates_m.device)
        return self.mlp(decimetres)[:, None], valid


class PlanAndPointEncoder(nn.Module):
    """Plan rows -> tokens, and coordinates -> one more."""

    def __init__(self, coordinates: int, features: int) -> None:
        super().__init__()
        self.rows = PlanEncoder(features)
        self.points = PointEncoder(coordinates, features)

    def forward(
        self,
        verbs: Int[Tensor, "b k"],
        directions: Int[Tensor, "b k"],
        distances_m: Float[Tensor, "b k"],
        coordinates_m: Float[Tensor, "b c"],
    ) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]:
        rows, points = self.rows(verbs, directions, distances_m), self.points(coordinates_m)
        tokens, valid = (torch.cat(parts, dim=1) for parts in zip(rows, points, strict=True))
        return tokens, valid


class WordEncoder(nn.Module):
    """Word ids (0 pads) -> tokens."""

    def __init__(self, vocabulary: int, features: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, features)
        self.mlp = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, features), nn.SiLU())

    def forward(self, words: Int[Tensor, "b n"]) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]:
        return self.mlp(self.embedding(words)), words != 0


class StateEncoder(nn.Module):
    """States of a frozen text encoder, zeros where a sentence is over -> tokens."""

    def __init__(self, states: int, features: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.LayerNorm(states), nn.Linear(states, features), nn.SiLU())

    def forward(self, states: Float[Tensor, "b n e"]) -> tuple[Float[Tensor, "b n d"], Bool[Tensor, "b n"]]:
        return self.mlp(states), (states != 0).any(-1)


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
