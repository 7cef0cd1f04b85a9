"""The plane that most of a point cloud lies in: the table under a scene.

RANSAC over triples of points (Fischler and Bolles 1981) finds the plane with most points near it, weighted
least squares over those points then fits it. Points are metres in any one frame.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.camera import pixel_centres, unproject
from kinesight.types.arrays import Depth, Point, Points
from kinesight.types.camera import Camera


@dataclass(frozen=True, slots=True)
class Plane:
    """All points p with normal · p = offset_m; the normal has length 1."""

    normal: Point
    offset_m: float


def signed_distance(points: Points, plane: Plane) -> Float[np.ndarray, "n"]:
    """Metres [n] along the normal from the plane to the points [n 3]."""
    return points @ plane.normal - plane.offset_m


def fit_plane(
    points: Points, tolerance_m: float = 0.005, draws: int = 200, seed: int = 0, sample: int = 4000
) -> tuple[Plane, Bool[np.ndarray, "n"]]:
    """The plane with most points [n 3] within `tolerance_m`, and which points those are [n].

    Points with NaN never belong to it. The normal points to the side on which more of the other points lie:
    upwards, when a table is seen with what stands on it. At most `sample` points vote.
    """
    finite = np.isfinite(points).all(axis=1)
    usable = np.asarray(points[finite], np.float64)
    if len(usable) < 3:
        raise ValueError(f"a plane needs three points, got {len(usable)} that are finite of {len(points)}")
    random = np.random.default_rng(seed)
    voters = usable[random.permutation(len(usable))[:sample]]
    plane = _vote(voters, random.integers(0, len(voters), (draws, 3)), tolerance_m)
    for _ in range(3):  # the fit moves the plane a little, and with it the points that belong to it
        plane = _least_squares(usable[np.abs(signed_distance(usable, plane)) <= tolerance_m])
    plane = _towards(plane, usable, tolerance_m)
    belongs = np.zeros(len(points), bool)
    belongs[finite] = np.abs(signed_distance(usable, plane)) <= tolerance_m
    return plane, belongs


def table_plane(depth_m: Depth, camera: Camera, tolerance_m: float = 0.005, seed: int = 0) -> Plane:
    """The dominant plane of a depth picture [y x], in the world frame."""
    points = unproject(pixel_centres(camera), depth_m.reshape(-1), camera)
    return fit_plane(points, tolerance_m, seed=seed)[0]


def _vote(points: Points, triples: np.ndarray, tolerance_m: float) -> Plane:
    corners = points[triples]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    if not (lengths > 0).any():
        raise ValueError("a plane needs points that do not lie on one line")
    corners, normals = corners[lengths > 0], normals[lengths > 0] / lengths[lengths > 0, None]
    offsets = np.einsum("nd,nd->n", corners[:, 0], normals)
    votes = (np.abs(points @ normals.T - offsets) <= tolerance_m).sum(axis=0)
    best = int(votes.argmax())
    return Plane(normals[best], float(offsets[best]))


def _least_squares(points: Points) -> Plane:
    centre = points.mean(axis=0)
    normal = np.linalg.svd(points - centre, full_matrices=False)[2][2]
    return Plane(normal, float(normal @ centre))


def _towards(plane: Plane, points: Points, tolerance_m: float) -> Plane:
    distance = signed_distance(points, plane)
    above, below = (distance > tolerance_m).sum(), (distance < -tolerance_m).sum()
    return plane if above >= below else Plane(-plane.normal, -plane.offset_m)
