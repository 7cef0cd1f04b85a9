"""Between metres in the world and rows of a spatial plan (Spatial Policy, Eq. 1-2).

The plan frame is a camera's frame with every axis turned round: x grows to the left, y upwards and z
backwards, towards the camera. It is the frame of the paper's text, "(x: right-/left+, y: up+/down-,
z: forward-/back+)"; three negated axes make it left-handed. Offsets have no origin, so only the camera's
rotation matters, never a crop or a resize.
"""

import numpy as np

from kinesight.types.arrays import Point, Points
from kinesight.types.camera import Camera
from kinesight.types.plan import PlanRow

DEAD_ZONE_M = 0.01


def offsets_to_plan(offsets_world: Points, camera: Camera) -> Points:
    """World offsets [n 3] along the plan axes, metres."""
    return -(np.asarray(offsets_world, np.float64) @ camera.T_world_camera[:3, :3])


def offset_to_plan(offset_world: Point, camera: Camera) -> Point:
    """One world offset [3] along the plan axes, metres."""
    return offsets_to_plan(offset_world[None], camera)[0]


def offset_to_world(offset_plan: Point, camera: Camera) -> Point:
    """The inverse of `offset_to_plan`."""
    return -(camera.T_world_camera[:3, :3] @ np.asarray(offset_plan, np.float64))


def direction_signs(offset_m: Point, dead_zone_m: float = DEAD_ZONE_M) -> tuple[int, int, int]:
    """Signs of an offset; an axis along which it is shorter than the dead zone counts as 0."""
    x, y, z = (int(np.sign(value)) if abs(value) >= dead_zone_m else 0 for value in offset_m)
    return x, y, z


def offset_to_row(offset_m: Point, verb: str, dead_zone_m: float = DEAD_ZONE_M) -> PlanRow:
    """An offset [3] along the plan axes as a row: its signs and its length.

    The length stays exact; only plan text rounds it to centimetres.
    """
    return PlanRow(verb, direction_signs(offset_m, dead_zone_m), float(np.linalg.norm(offset_m)))
