"""What the imaginer is told beside the first frame: Spatial Policy's conditioning variants (Tables 2, 4, 6).

Each variant says which stored keys it takes, what encodes them into tokens, and where the tokens go: pooled
with the words into the vector that enters every layer ("global"), or to the lowest level alone ("local").
"plan-drawn", our own, also marks in the picture where the plan leads: what a row says in signs and metres the
network would have to find in the picture again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinesight.nn.conditions import PlacedPlanEncoder, PlanEncoder, PointEncoder, positions_and_offsets
from kinesight.nn.point_maps import projected
from kinesight.types.plan import MAX_ROWS

POINTS = 3
"""Of the variants "distance" and "plan-drawn"; each has three coordinates."""
PLAN_KEYS = {name: f"plan.{name}.{{camera}}" for name in ("verbs", "directions", "distances_m")}

Rows = Mapping[str, Tensor]
"""Batch name -> the rows [b 1 ...] of the start frame."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the network is told: a vector for every layer, and tokens for the lowest level if it takes any."""

    pooled: Float[Tensor, "b d"]
    tokens: Float[Tensor, "b k d"] | None = None
    valid: Bool[Tensor, "b k"] | None = None
    maps: Float[Tensor, "b n y x"] | None = None
    """Marks on the first frame."""

    def nulled(self, null: Float[Tensor, "d"], where: Bool[Tensor, "b 1"]) -> "Condition":
        """The null condition in some examples: the null vector, no token and no mark."""
        valid = None if self.valid is None else self.valid & ~where
        maps = None if self.maps is None else self.maps * ~where[..., None, None]
        return Condition(torch.where(where, null, self.pooled), self.tokens, valid, maps)


@dataclass(frozen=True, slots=True)
class Conditioning:
    """One variant."""

    keys: Callable[[tuple[str, ...]], Mapping[str, str]] = lambda points: {}
    """Names of scene points -> batch name and stored key of what is taken at the start frame."""
    gather: Callable[[Rows], tuple[Tensor, ...]] = lambda rows: ()
    """What the encoder takes, from the rows."""
    encoder: Callable[[int], nn.Module] | None = None
    """Features -> a module that makes tokens [b k d] and their validity [b k]; None: there are only words."""
    pooled: int = 0
    """Tokens that are pooled with the words."""
    local: bool = False
    """Whether the tokens go to the lowest level instead."""
    plan: bool = False
    """Whether it is told the planner's rows."""
    drawn: bool = False
    """Whether it is shown the points in the picture."""
    scene: bool = False
    """Whether it asks for the scene at test time too: privileged, unless its points are found in pictures."""


def _plan_rows(rows: Rows) -> tuple[Tensor, ...]:
    verbs, directions, distances_m = (rows[name][:, 0] for name in PLAN_KEYS)
    return verbs.long(), directions.long(), distances_m.float()


def _plan_and_point_keys(points: tuple[str, ...]) -> Mapping[str, str]:
    return {**PLAN_KEYS, **_point_keys(points), "K": "K.{camera}"}


def _point_keys(points: tuple[str, ...]) -> Mapping[str, str]:
    taken = {f"point{place}": f"scene.{name}" for place, name in enumerate(points)}
    return {**taken, "T_world_camera": "T_world_camera.{camera}"}


def _points(rows: Rows) -> Float[Tensor, "b n 3"]:
    return torch.cat([rows[f"point{place}"] for place in range(POINTS)], dim=1).float()


def _coordinates(rows: Rows) -> tuple[Tensor, ...]:
    return (positions_and_offsets(_points(rows), rows["T_world_camera"][:, 0].float()),)


def marked(rows: Rows) -> Float[Tensor, "b n 2"]:
    """Where the points are in the picture, in its pixels; for a variant that is shown them."""
    return projected(_points(rows), rows["T_world_camera"][:, 0].float(), rows["K"][:, 0].float())


CONDITIONINGS: dict[str, Conditioning] = {
    "text": Conditioning(),
    "distance": Conditioning(
        _point_keys, _coordinates, lambda features: PointEncoder(3 * POINTS, features), pooled=1, scene=True
    ),
    "plan-global": Conditioning(
        lambda points: PLAN_KEYS, _plan_rows, PlanEncoder, pooled=MAX_ROWS, plan=True
    ),
    "plan-local": Conditioning(
        lambda points: PLAN_KEYS, _plan_rows, PlacedPlanEncoder, local=True, plan=True
    ),
    "plan-drawn": Conditioning(
        _plan_and_point_keys, _plan_rows, PlanEncoder, pooled=MAX_ROWS, plan=True, scene=True, drawn=True
    ),
}
"""By name. "plan-…" get a planner's rows, "distance" and "plan-drawn" take points of the scene."""
