"""How an object moves through a video: optical flow, lifted to rigid motions in space.

AVDC (Ko et al. 2023, arXiv:2310.08576) turns a video without actions into the path of an object: pixels of
the object get their depth from the first frame, optical flow says where each goes in the next frame, RANSAC
keeps those that move alike, and the rigid motion whose projection agrees best with them is the object's.
Motions are chained from frame to frame; depth is needed for the first one only.

One camera sees motion along its line of sight only as a change of size. Of the motions that explain the flow
equally well the smallest is taken, by a prior that is weak for what is large in the picture.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.camera import pixel_centres, unproject, world_to_camera
from kinesight.geometry.optical_flow import best_shift, difference, displacements, sample
from kinesight.types.arrays import Depth, Matrix3, Matrix4, Pixels, Point, Points, Video
from kinesight.types.camera import Camera
from kinesight.types.errors import KinesightError, UsageError

Mask = Bool[np.ndarray, "y x"]
_NEAREST_M = 0.01  # depth at which points that come too near are held


class TargetLost(KinesightError):
    """The object has too few pixels with a depth: it is hidden, out of view, or the mask is wrong."""


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """How flow is turned into motion."""

    samples: int = 500
    """Pixels of the object that are followed, at most."""
    least_pixels: int = 6
    """Pixels with a depth that an object must have, and that must agree on a motion."""
    zoom: int = 3
    """Frames are enlarged by this before the flow is computed: small objects get more of it."""
    reach: float = 0.3
    """How far an object may get from one frame to the next, as a share of the picture's width."""
    hidden: float = 40.0
    """Difference from its first colour (grey levels, 0-255) from which on a pixel counts as covered."""
    stillness: float = 10.0
    """Grey levels by which an object must look better at the end of its reach than where it was."""
    draws: int = 100
    """RANSAC's draws of three pixels."""
    tolerance_px: float = 0.75
    """Distance from the common motion in the picture up to which a pixel obeys it."""
    least_share: float = 0.1
    """Share of the followed pixels that must agree; with fewer the object counts as not moving."""
    deepest_m: float = 0.03
    """How far behind its surface the middle of an object is supposed, at most."""
    translation_prior_m: float = 0.15
    """A translation of this length costs as much as one pixel of error everywhere."""
    rotation_prior: float = 0.5
    """The same for a rotation, radians."""

    def __post_init__(self) -> None:
        if min(self.samples, self.least_pixels) < 3 or min(self.zoom, self.draws) < 1:
            raise UsageError(
                f"samples and least_pixels must be at least 3, zoom and draws at least 1, got {self}"
            )
        if min(self.tolerance_px, self.translation_prior_m, self.rotation_prior, self.hidden) <= 0:
            raise UsageError(f"tolerance_px, hidden and both priors must be positive, got {self}")
        if not (0 <= self.least_share <= 1 and 0 <= self.reach <= 1):
            raise UsageError(f"least_share and reach must lie in [0, 1], got {self}")
        if min(self.stillness, self.deepest_m) < 0:
            raise UsageError(f"stillness and deepest_m cannot be negative, got {self}")


@dataclass(frozen=True, slots=True)
class ObjectMotion:
    """Where an object is and how it moves from there."""

    surface: Point
    """The middle of what is seen of the object, world frame [m]."""
    middle: Point
    """The middle of the object itself, supposed behind it."""
    steps: Float[np.ndarray, "t 4 4"]
    """World motion from every frame to the next: a point p of the object comes to steps[i] @ p."""
    agreement: Float[np.ndarray, "t"]
    """Share of the followed pixels that obeyed the common motion, 0 … 1."""

    def path(self, point: Point) -> Points:
        """Where a point of the object is in every frame [t + 1, 3], world frame [m]."""
        places = [point]
        for step in self.steps:
            places.append(transform(step, places[-1][None])[0])
        return np.stack(places)


def object_motion(
    video: Video,
    mask: Mask,
    depth_m: Depth,
    camera: Camera,
    config: MotionConfig | None = None,
    part: Mask | None = None,
    seed: int = 0,
) -> ObjectMotion:
    """Motion of the object that `mask` [y x] shows in the first frame of a video [t y x 3], t ≥ 2.

    `depth_m` [y x] belongs to the first frame, and the camera does not move. Surface and middle are those of
    `part` [y x], which moves with the object, or of the object itself. Raises `TargetLost` when fewer than
    `least_pixels` of either have a depth, `UsageError` for pictures of different sizes.
    """
    config, part = config or MotionConfig(), mask if part is None else part
    sizes = {mask.shape, part.shape, depth_m.shape, video.shape[1:3], (camera.height, camera.width)}
    if len(sizes) > 1 or len(video) < 2:
        raise UsageError(
            f"a motion needs two frames or more and pictures of one size, got {len(video)} frames of "
            f"{video.shape[1:3]}, a mask of {mask.shape}, depth of {depth_m.shape} and a camera of "
            f"{(camera.height, camera.width)}"
        )
    touched = lift(part, depth_m, camera, config)
    surface = surface_point(*touched)
    middle = inner_point(surface, touched[0], camera, config.deepest_m)
    pixels, points = lift(mask, depth_m, camera, config)
    colours, reach_px = sample(video[0], pixels), round(config.reach * camera.width)
    random = np.random.default_rng(seed)
    steps, agreement = [], []
    for before, after in pairwise(video):
        shift = best_shift(after, pixels, colours, reach_px, config.hidden, config.stillness)
        moved = pixels + displacements(before, after, pixels, shift, config.zoom)
        obeys = difference(after, moved, colours) < config.hidden
        if obeys.sum() >= config.least_pixels:
            obeys[obeys] = common_motion(
                pixels[obeys], moved[obeys], config.tolerance_px, config.draws, random
            )
        step = np.eye(4)
        if obeys.sum() >= max(config.least_pixels, config.least_share * len(obeys)):
            step = fit_motion(points[obeys], moved[obeys], camera, config)
        points = transform(step, points)
        pixels = _project(world_to_camera(points, camera), camera)
        steps.append(step)
        agreement.append(obeys.mean())
    return ObjectMotion(surface, middle, np.stack(steps), np.array(agreement))


def lift(mask: Mask, depth_m: Depth, camera: Camera, config: MotionConfig) -> tuple[Pixels, Points]:
    """Pixels [n 2] of the mask that have a depth, evenly thinned, and their world points [n 3]."""
    known = np.flatnonzero((mask & np.isfinite(depth_m) & (depth_m > 0)).ravel())
    if len(known) < config.least_pixels:
        raise TargetLost(
            f"the object has {len(known)} pixels with a depth ({int(mask.sum())} in its mask), at least "
            f"{config.least_pixels} are needed"
        )
    chosen = known[np.linspace(0, len(known) - 1, min(len(known), config.samples)).round().astype(int)]
    pixels = pixel_centres(camera)[chosen]
    return pixels, unproject(pixels, depth_m.ravel()[chosen], camera)


def surface_point(pixels: Pixels, points: Points, neighbours: int = 9) -> Point:
    """The world point where the sum of distances in the picture to the other pixels [n 2] is least.

    Unlike their mean it lies on the object, also on a bent one; the median of its nearest neighbours' points
    [n 3] is less noisy than its own.
    """
    distances = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    nearest = np.argsort(distances[distances.sum(axis=1).argmin()], kind="stable")[:neighbours]
    return np.median(points[nearest], axis=0)


def inner_point(point: Point, pixels: Pixels, camera: Camera, deepest_m: float) -> Point:
    """A point on an object's surface, moved along the line of sight to the object's middle.

    What is seen of a ball or a block is its near side. The object, which pixels [n 2] show, is taken to be as
    deep as it is narrow in the picture, and the point moves by half of that, at most by `deepest_m`.
    """
    narrow_px = 2 * np.sqrt(max(float(np.linalg.eigvalsh(np.cov(pixels.T))[0]), 0.0))  # a disc's radius
    half_m = narrow_px * world_to_camera(point[None], camera)[0, 2] / camera.K[0, 0]
    sight = point - camera.T_world_camera[:3, 3]
    return point + min(half_m, deepest_m) * sight / np.linalg.norm(sight)


def common_motion(
    before: Pixels, after: Pixels, tolerance_px: float, draws: int, random: np.random.Generator
) -> Bool[np.ndarray, "n"]:
    """Which pixels [n 2] move by the one affine motion of the picture that most of them obey (RANSAC).

    Affine and not a similarity, as AVDC has it: a door that turns gets narrower.
    """
    extended = np.c_[before, np.ones(len(before))]
    best = np.zeros(len(before), bool)
    for _ in range(draws):
        three = random.choice(len(before), 3, replace=False)
        if abs(np.linalg.det(extended[three])) < 1:  # nearly on a line: only their shift is certain
            predicted = before + (after[three] - before[three]).mean(axis=0)
        else:
            predicted = extended @ np.linalg.solve(extended[three], after[three])
        obeys = np.linalg.norm(predicted - after, axis=1) <= tolerance_px
        if obeys.sum() > best.sum():
            best = obeys
    return best


def fit_motion(
    points: Points, pixels: Pixels, camera: Camera, config: MotionConfig | None = None, rounds: int = 25
) -> Matrix4:
    """The world motion [4 4] that brings world points [n 3] to where pixels [n 2] show them.

    Minimises the mean squared error in the picture, errors beyond `tolerance_px` counting less (Huber), plus
    (translation of the centre / prior)² + (rotation / prior)², by Levenberg-Marquardt from standstill.
    """
    config = config or MotionConfig()
    start = world_to_camera(points, camera)
    centre = start.mean(axis=0)
    problem = _Problem(start - centre, centre, np.asarray(pixels, np.float64), camera, config)
    rotation, shift, damping = np.eye(3), np.zeros(3), 1e-3
    cost = problem.cost(rotation, shift)
    for _ in range(rounds):
        matrix, gradient = problem.normal_equations(rotation, shift)
        step = np.linalg.solve(matrix + damping * np.diag(np.diag(matrix)), -gradient)
        turned, moved = _rotation(step[:3]) @ rotation, shift + step[3:]
        if (new_cost := problem.cost(turned, moved)) > cost:
            damping *= 10
            continue
        gained = cost - new_cost
        rotation, shift, cost, damping = turned, moved, new_cost, damping / 3
        if gained < 1e-12:
            break
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation, centre + shift - rotation @ centre
    return camera.T_world_camera @ motion @ np.linalg.inv(camera.T_world_camera)


def transform(motion: Matrix4, points: Points) -> Points:
    """Points [n 3] after a motion."""
    return points @ motion[:3, :3].T + motion[:3, 3]


@dataclass(frozen=True, slots=True)
class _Problem:
    """Least squares over a rotation about the centre of the points and a shift of it, camera axes."""

    arms: Points
    """Points from their centre."""
    centre: Point
    pixels: Pixels
    camera: Camera
    config: MotionConfig

    def cost(self, rotation: Matrix3, shift: Point) -> float:
        at = self.arms @ rotation.T + self.centre + shift
        error = np.linalg.norm(_project(at, self.camera) - self.pixels, axis=1)
        near = np.minimum(error, self.config.tolerance_px)
        huber = near * (2 * error - near)
        return float(huber.mean() + np.sum((np.r_[_vector(rotation), shift] / self._priors()) ** 2))

    def normal_equations(
        self, rotation: Matrix3, shift: Point
    ) -> tuple[Float[np.ndarray, "6 6"], Float[np.ndarray, "6"]]:
        """Halves of the Gauss-Newton Hessian and of the gradient by (rotation, shift)."""
        arms = self.arms @ rotation.T
        at = arms + self.centre + shift
        residual = _project(at, self.camera) - self.pixels
        error = np.linalg.norm(residual, axis=1)
        weight = self.config.tolerance_px / np.maximum(error, self.config.tolerance_px) / len(at)
        by_point = _projection_slope(at, self.camera)
        jacobian = np.concatenate([-by_point @ _cross(arms), by_point], axis=2)
        weighted = jacobian * weight[:, None, None]
        prior = self._priors() ** -2.0
        matrix = np.einsum("nip,niq->pq", weighted, jacobian) + np.diag(prior)
        return matrix, np.einsum("nip,ni->p", weighted, residual) + prior * np.r_[_vector(rotation), shift]

    def _priors(self) -> Float[np.ndarray, "6"]:
        return np.repeat([self.config.rotation_prior, self.config.translation_prior_m], 3)


def _project(points_camera: Points, camera: Camera) -> Pixels:
    """Like `camera.project`, but what has come too near keeps a picture."""
    depth_m = np.maximum(points_camera[:, 2:], _NEAREST_M)
    rays = np.concatenate([points_camera[:, :2] / depth_m, np.ones_like(depth_m)], axis=1)
    return rays @ np.asarray(camera.K, np.float64)[:2].T


def _projection_slope(points_camera: Points, camera: Camera) -> Float[np.ndarray, "n 2 3"]:
    """Derivative of the pixel by the point."""
    x, y, z = points_camera.T
    z, zero = np.maximum(z, _NEAREST_M), np.zeros_like(x)
    rays = np.stack([np.stack([1 / z, zero, -x / z**2], 1), np.stack([zero, 1 / z, -y / z**2], 1)], 1)
    return np.asarray(camera.K, np.float64)[:2, :2] @ rays


def _cross(vectors: Points) -> Float[np.ndarray, "n 3 3"]:
    """The matrices of the cross products with vectors [n 3]."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    rows = [np.stack(row, 1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    return np.stack(rows, 1)


def _rotation(vector: Point) -> Matrix3:
    return cv2.Rodrigues(vector)[0]


def _vector(rotation: Matrix3) -> Point:
    return cv2.Rodrigues(rotation)[0][:, 0]
