"""Does the hand of a video go where the plan says? (Spatial Policy: "manipulator trajectories")

A plan row names a direction by the signs of its three components and a distance, so many offsets fit it.
They are projected through the camera; the row's frames are compared with the one that fits best. Which
frames belong to which row is not known either: the best split into successive stretches counts, as a video
runs from now to the end of the plan.
"""

from itertools import product

import numpy as np
from jaxtyping import Float

from kinesight.geometry.camera import project
from kinesight.geometry.plan_frame import offset_to_world
from kinesight.types.arrays import Pixels, Point
from kinesight.types.camera import Camera
from kinesight.types.plan import PlanRow, SpatialPlan

LEAST_WAY_PX = 4.0
"""A plan whose rows together are shorter in the picture says nothing about it."""
_SHARES = (1.0, 2.0, 4.0)
"""Relative sizes of an offset's components; every ratio up to 4 is tried."""


def plan_agreement(
    plan: SpatialPlan, path: Pixels, hand_world: Point, camera: Camera, slack_px: float
) -> float | None:
    """Agreement in [0, 1] of the hand's path [frames 2] in pixels with the plan, row 0 being now.

    A row with displacement v against expected d scores 1 - |v - d| / (|v| + |d|), `slack_px` forgiven: 1
    where they are equal, 0 where they are opposite or one of them is zero. Rows count by the length of d.
    None where the plan's motion is too short to be seen in the picture.
    """
    ways = [way for way in expected_ways(plan, hand_world, camera) if np.isfinite(way).all()]
    lengths = np.array([np.linalg.norm(way, axis=1).mean() for way in ways])
    if not len(ways) or lengths.sum() < LEAST_WAY_PX:
        return None
    frames = len(path)
    best = np.full(frames, -np.inf)  # score of the rows so far, by the frame at which the last one ended
    best[0] = 0.0
    for way, weight in zip(ways, lengths / lengths.sum(), strict=True):
        ended = [
            [best[a] + weight * fit(path[b] - path[a], way, slack_px) for a in range(b + 1)]
            for b in range(frames)
        ]
        best = np.array([max(scores) for scores in ended])
    return float(np.clip(best[-1], 0.0, 1.0))


def fit(moved_px: Float[np.ndarray, "2"], expected_px: Pixels, slack_px: float) -> float:
    """Score in [0, 1] of a displacement against the best of the expected ones [n 2]."""
    apart = np.maximum(np.linalg.norm(moved_px - expected_px, axis=1) - slack_px, 0.0)
    most = np.linalg.norm(moved_px) + np.linalg.norm(expected_px, axis=1)
    return float(np.max(1.0 - apart / np.maximum(most, 1e-9)))


def expected_ways(plan: SpatialPlan, hand_world: Point, camera: Camera) -> list[Pixels]:
    """For every row that moves: displacements [n 2] in pixels that its signs and distance allow.

    A row starts where the rows before it end if all components of their offsets are alike.
    """
    ways, here = [], np.asarray(hand_world, np.float64)
    for row in plan.rows:
        offsets = allowed_offsets(row)
        if not len(offsets):
            continue
        ends = np.stack([here + offset_to_world(offset, camera) for offset in offsets])
        ways.append(project(ends, camera) - project(here[None], camera))
        alike = np.array(row.direction) / np.linalg.norm(row.direction) * row.distance_m
        here = here + offset_to_world(alike, camera)
    return ways


def allowed_offsets(row: PlanRow) -> Float[np.ndarray, "n 3"]:
    """Offsets along the plan axes [m] with the row's signs and length; none for a row that does not move."""
    if not any(row.direction) or row.distance_m == 0:
        return np.zeros((0, 3))
    sizes = [_SHARES if sign else (0.0,) for sign in row.direction]
    vectors = np.array(list(product(*sizes))) * np.array(row.direction)
    directions = np.unique((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).round(12), axis=0)
    return directions * row.distance_m
