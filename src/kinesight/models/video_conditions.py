"""What the imaginer is told beside the first frame: Spatial Policy's conditioning variants (Tables 2, 4, 6).

Each variant says which stored keys it takes, what encodes them into tokens, and where the tokens go: pooled
with the words into the vector that enters every layer ("global"), or to the lowest level alone ("local").
"plan-path", our own, also foretells from plan and points where the hand will be in every frame, and the
network draws the arm there: what a row says in signs and metres it would have to find in the picture again.
"plan-points" is told as much, plan, points and how far the fingers are open, and foretells nothing: what the
path is worth is the difference of the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinesight.nn.conditions import (
    PlacedPlanEncoder,
    PlanAndPointEncoder,
    PlanEncoder,
    PointEncoder,
    positions_and_offsets,
)
from kinesight.nn.hand_path import Hands, hand_states
from kinesight.types.plan import MAX_ROWS

HAND = "hand"
"""Name of what is taken at the future frames too."""
HAND_NOW = "hand_now"
"""The same at the start frame alone."""
POINTS = 3
"""Of the variants "distance" and "plan-points", with three coordinates each."""
PATH_POINTS = 2
"""Of "plan-path": all but the gripper, whose place the proprioception tells."""
PLAN_KEYS = {name: f"plan.{name}.{{camera}}" for name in ("verbs", "directions", "distances_m")}

Rows = Mapping[str, Tensor]
"""Batch name -> the rows [b 1 ...] of the start frame."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the network is told: a vector for every layer, and tokens for the lowest level if it takes any."""

    pooled: Float[Tensor, "b d"]
    tokens: Float[Tensor, "b k d"] | None = None
    valid: Bool[Tensor, "b k"] | None = None
    frames: Float[Tensor, "b t d"] | None = None
    """What is known of every frame."""
    marks: Float[Tensor, "b t n y x"] | None = None
    """Where it is, as pictures."""

    def nulled(self, null: Float[Tensor, "d"], where: Bool[Tensor, "b 1"]) -> "Condition":
        """The null condition in some examples: the null vector, no token, nothing known of any frame."""
        return Condition(
            torch.where(where, null, self.pooled),
            self.tokens,
            None if self.valid is None else self.valid & ~where,
            None if self.frames is None else self.frames * ~where[..., None],
            None if self.marks is None else self.marks * ~where[..., None, None, None],
        )


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
    path: bool = False
    """Whether it foretells the hand's path and draws along it."""
    scene: bool = False
    """Whether it asks for the scene at test time too: privileged, unless its points are found in pictures."""


def _plan_rows(rows: Rows) -> tuple[Tensor, ...]:
    verbs, directions, distances_m = (rows[name][:, 0] for name in PLAN_KEYS)
    return verbs.long(), directions.long(), distances_m.float()


def _plan_and_point_keys(points: tuple[str, ...]) -> Mapping[str, str]:
    return {**PLAN_KEYS, **_point_keys(points[-PATH_POINTS:]), "K": "K.{camera}", HAND: "proprio"}


def _point_keys(points: tuple[str, ...]) -> Mapping[str, str]:
    taken = {f"point{place}": f"scene.{name}" for place, name in enumerate(points)}
    return {**taken, "T_world_camera": "T_world_camera.{camera}"}


def _coordinates(rows: Rows) -> tuple[Tensor, ...]:
    return (positions_and_offsets(_points(rows, POINTS), rows["T_world_camera"][:, 0].float()),)


def _coordinates_and_opening(rows: Rows) -> tuple[Tensor, ...]:
    """Opening in tenths: the encoder counts in decimetres, and 0 to 1 is a range like that of a way there."""
    (coordinates_m,), opening = _coordinates(rows), hand_states(rows[HAND_NOW].float())[:, 0, 3:]
    return (torch.cat([coordinates_m, 0.1 * opening], dim=-1),)


def _points(rows: Rows, count: int) -> Float[Tensor, "b {count} 3"]:
    return torch.cat([rows[f"point{place}"] for place in range(count)], dim=1).float()


def hands(rows: Rows) -> Hands:
    """For the variant that foretells a path."""
    return Hands(
        states=hand_states(rows[HAND].float()),
        points=_points(rows, PATH_POINTS),
        T_world_camera=rows["T_world_camera"][:, 0].float(),
        K=rows["K"][:, 0].float(),
    )


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
    "plan-points": Conditioning(
        lambda points: {**PLAN_KEYS, **_point_keys(points), HAND_NOW: "proprio"},
        lambda rows: (*_plan_rows(rows), *_coordinates_and_opening(rows)),
        lambda features: PlanAndPointEncoder(3 * POINTS + 1, features),
        pooled=MAX_ROWS + 1,
        plan=True,
        scene=True,
    ),
    "plan-path": Conditioning(
        _plan_and_point_keys, _plan_rows, PlanEncoder, pooled=MAX_ROWS, plan=True, scene=True, path=True
    ),
}
"""By name. "plan-…" get a planner's rows; "distance", "plan-points", "plan-path" take the scene's points."""
