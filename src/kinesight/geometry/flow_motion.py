"""How an object moves through a video: dense optical flow, lifted to rigid motions in space.

AVDC (Ko et al. 2023, arXiv:2310.08576, section 3.2) turns a video without actions into the path of an object:
pixels of the object get their depth from the first frame, optical flow says where each goes in the next
frame, and the rigid motion whose projection agrees best with that is the object's. Motions are chained from
frame to frame; depth is needed for the first one only. Here the flow is OpenCV's DIS, RANSAC finds the pixels
that move alike, and Gauss-Newton steps fit the motion.

One camera sees motion along its line of sight only as a change of size. Of the motions that explain the flow
equally well the smallest is taken, by a weak prior (`MotionConfig`).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from kinesight.geometry.camera import pixel_centres, unproject, world_to_camera
from kinesight.types.arrays import Depth, Image, Matrix3, Matrix4, Pixels, Point, Points, Video
from kinesight.types.camera import Camera
from kinesight.types.errors import KinesightError, UsageError

Flow = Float32[np.ndarray, "y x 2"]
"""Pixels to the right and down by which what is seen at a pixel moves to the next frame."""
Mask = Bool[np.ndarray, "y x"]


class TargetLost(KinesightError):
    """The object has too few pixels with a depth: it is hidden, out of view, or the mask is wrong."""


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """How flow is turned into motion; values of AVDC's code where it has them."""

    samples: int = 500
    """Pixels of the object that are followed, at most."""
    least_pixels: int = 6
    """Pixels with a depth that an object must have."""
    zoom: int = 3
    """Frames are enlarged by this before the flow is computed: small objects get more of it."""
    draws: int = 100
    """RANSAC's pairs of points."""
    tolerance_px: float = 0.75
    """Distance from the common motion in the picture up to which a pixel follows it (AVDC: 0.5)."""
    least_share: float = 0.1
    """Share of the followed pixels that must agree; with fewer the object counts as not moving."""
    reach: float = 0.3
    """How far an object may get from one frame to the next, as a share of the picture's width."""
    grey_levels: float = 40.0
    """Mean difference of colour (0-255) from which on a pixel of the object counts as hidden."""
    stillness: float = 10.0
    """Grey levels by which the object must look better at the end of its reach than where it was."""
    translation_prior_m: float = 0.15
    """A translation of this length costs as much as one pixel of error everywhere."""
    rotation_prior: float = 0.5
    """The same for a rotation, radians."""

    def __post_init__(self) -> None:
        if min(self.samples, self.least_pixels, self.draws) < 2 or self.zoom < 1:
            raise UsageError(f"samples, least_pixels and draws must be at least 2 and zoom 1, got {self}")
        if min(self.tolerance_px, self.translation_prior_m, self.rotation_prior) <= 0:
            raise UsageError(f"tolerance_px and both priors must be positive, got {self}")
        if not 0 <= self.least_share <= 1:
            raise UsageError(f"least_share must lie in [0, 1], got {self.least_share}")


@dataclass(frozen=True, slots=True)
class ObjectMotion:
    """Where an object is touched and how it moves from there."""

    contact: Point
    """The middle of what is seen of the object, on its surface, world frame [m]."""
    steps: Float[np.ndarray, "t 4 4"]
    """World motion from every frame to the next: a point p of the object comes to steps[i] @ p."""
    agreement: Float[np.ndarray, "t"]
    """Share of the followed pixels that obeyed the common motion, 0 … 1."""

    @property
    def path(self) -> Points:
        """The contact point in every frame [t + 1, 3], world frame [m]."""
        return follow(self.contact, self.steps)


class Similarity(NamedTuple):
    """A motion in the picture: q = matrix @ p + shift, matrix a rotation times a scale."""

    matrix: Float[np.ndarray, "2 2"]
    shift: Float[np.ndarray, "2"]


def object_motion(
    video: Video, mask: Mask, depth_m: Depth, camera: Camera, config: MotionConfig | None = None, seed: int = 0
) -> ObjectMotion:
    """Motion of the object that `mask` [y x] shows in the first frame of a video [t y x 3], t ≥ 2.

    `depth_m` [y x] belongs to the first frame, and the camera does not move. Raises `TargetLost` when fewer
    than `least_pixels` of the mask have a depth, `UsageError` for pictures of different sizes.
    """
    config = config or MotionConfig()
    sizes = {mask.shape, depth_m.shape, video.shape[1:3], (camera.height, camera.width)}
    if len(sizes) > 1 or len(video) < 2:
        raise UsageError(
            f"a motion needs two frames or more and pictures of one size, got {len(video)} frames of "
            f"{video.shape[1:3]}, a mask of {mask.shape}, depth of {depth_m.shape} and a camera of "
            f"{(camera.height, camera.width)}"
        )
    pixels, points = lift(mask, depth_m, camera, config)
    contact = middle_point(pixels, points)
    colours = sample(video[0].astype(np.float32), pixels)
    random = np.random.default_rng(seed)
    steps, agreement = [], []
    for before, after in pairwise(video):
        shift = best_shift(after, pixels, colours, config)
        moved = pixels + shift + sample(dense_flow(before, shifted(after, -shift), config.zoom), pixels)
        seen = look(after, moved, colours, config.grey_levels) < config.grey_levels
        agrees = np.zeros(len(pixels), bool)
        if seen.sum() >= config.least_pixels:
            agrees[seen] = common_motion(pixels[seen], moved[seen], config.tolerance_px, config.draws, random)
        share = float(agrees.mean())
        step = np.eye(4)
        if share >= config.least_share and agrees.sum() >= config.least_pixels:
            step = fit_motion(points[agrees], moved[agrees], camera, config)
        points = transform(step, points)
        pixels = project_camera(world_to_camera(points, camera), camera)
        steps.append(step)
        agreement.append(share)
    return ObjectMotion(contact, np.stack(steps), np.array(agreement))


def lift(mask: Mask, depth_m: Depth, camera: Camera, config: MotionConfig) -> tuple[Pixels, Points]:
    """Pixels [n 2] of the mask that have a depth, evenly thinned, and their world points [n 3]."""
    known = np.flatnonzero((mask & np.isfinite(depth_m) & (depth_m > 0)).ravel())
    if len(known) < config.least_pixels:
        raise TargetLost(
            f"the object has {len(known)} pixels with a depth of {int(mask.sum())} in its mask, at least "
            f"{config.least_pixels} are needed"
        )
    count = min(len(known), config.samples)
    chosen = known[np.linspace(0, len(known) - 1, count).round().astype(int)]
    pixels = pixel_centres(camera)[chosen]
    return pixels, unproject(pixels, depth_m.ravel()[chosen], camera)


def middle_point(pixels: Pixels, points: Points, neighbours: int = 9) -> Point:
    """The world point at the pixel with the least sum of distances to the others [n 2].

    It lies on the object, also where the centre of a ring does not; the mean of its nearest neighbours'
    points [n 3] is less noisy than its own.
    """
    distances = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    nearest = np.argsort(distances[distances.sum(axis=1).argmin()], kind="stable")[:neighbours]
    return np.median(points[nearest], axis=0)


def dense_flow(before: Image, after: Image, zoom: int = 1) -> Flow:
    """Optical flow [y x 2] between two pictures by DIS (Kroeger et al. 2016), in pixels of the originals."""
    height, width = before.shape[:2]
    size = (zoom * width, zoom * height)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
    first, second = (cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC) for picture in grey)
    start = np.zeros((*first.shape, 2), np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, start)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / np.float32(zoom)


def best_shift(picture: Image, pixels: Pixels, colours: np.ndarray, config: MotionConfig) -> np.ndarray:
    """The whole-pixel shift [2] at which pixels [n 2] of a picture look most like `colours` [n 3]."""
    height, width = picture.shape[:2]
    reach = round(config.reach * width)
    few = np.linspace(0, len(pixels) - 1, min(len(pixels), 120)).round().astype(int)
    x, y = np.floor(pixels[few]).astype(int).T
    padded = cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_CONSTANT).astype(np.float32)
    outside = np.pad(np.zeros((height, width), bool), reach, constant_values=True)
    side = 2 * reach + 1
    cost = np.zeros((side, side), np.float32)
    for i in range(len(few)):
        xi, yi = int(np.clip(x[i], 0, width - 1)), int(np.clip(y[i], 0, height - 1))
        patch = padded[yi : yi + side, xi : xi + side]
        error = np.abs(patch - colours[few[i]].astype(np.float32)).mean(axis=2)
        error[outside[yi : yi + side, xi : xi + side]] = config.grey_levels
        cost += np.minimum(error, config.grey_levels)
    cost /= len(few)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cost = cost + config.stillness * np.hypot(rows, columns) / reach
    row, column = np.unravel_index(cost.argmin(), cost.shape)
    return np.array([column - reach, row - reach], float)


def look(picture, pixels, colours, outside):
    height, width = picture.shape[:2]
    error = np.abs(sample(picture.astype(np.float32), pixels) - colours).mean(axis=1)
    inside = np.all((pixels >= 0) & (pixels <= (width, height)), axis=1)
    return np.where(inside, error, outside)


def shifted(picture, shift):
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def sample(flow, pixels:Pixels) -> Pixels:
    """Flow at pixels [n 2], bilinear; outside the picture that of its nearest edge."""
    where = (np.asarray(pixels) - 0.5).astype(np.float32)[None]
    mapped = cv2.remap(flow, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return mapped[0].astype(np.float64)


def common_motion(
    before: Pixels, after: Pixels, tolerance_px: float, draws: int, random: np.random.Generator
) -> Bool[np.ndarray, "n"]:
    """Which pixels [n 2] move as most do: by one rotation, scale and shift of the picture (RANSAC)."""
    best = np.zeros(len(before), bool)
    for _ in range(draws):
        three = random.choice(len(before), 3, replace=False)
        A = np.c_[before[three], np.ones(3)]
        if abs(np.linalg.det(A)) < 4:
            motion = similarity(before[three[:2]], after[three[:2]])
            predicted = before @ motion.matrix.T + motion.shift
        else:
            predicted = np.c_[before, np.ones(len(before))] @ np.linalg.solve(A, after[three])
        error = np.linalg.norm(predicted - after, axis=1)
        agrees = error <= tolerance_px
        if agrees.sum() > best.sum():
            best = agrees
    return best


def similarity(before: Pixels, after: Pixels) -> Similarity:
    """The similarity of the picture that carries two points [2 2] to two others; a shift if they coincide."""
    start, end = before[1] - before[0], after[1] - after[0]
    length = start @ start
    cosine, sine = (1.0, 0.0)
    if length > 1e-12:
        cosine = (start @ end) / length
        sine = (start[0] * end[1] - start[1] * end[0]) / length
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    return Similarity(matrix, after[0] - matrix @ before[0])


def fit_motion(
    points: Points, pixels: Pixels, camera: Camera, config: MotionConfig | None = None, rounds: int = 25
) -> Matrix4:
    """The world motion [4 4] that brings world points [n 3] to where pixels [n 2] show them.

    Minimises the mean squared error in the picture, errors beyond `tolerance_px` counting less (Huber),
    plus (translation of the centre / prior)² + (rotation / prior)². Levenberg-Marquardt from standstill.
    """
    config = config or MotionConfig()
    start = world_to_camera(points, camera)
    centre = start.mean(axis=0)
    arms, pixels = start - centre, np.asarray(pixels, np.float64)
    rotation, shift, damping = np.eye(3), np.zeros(3), 1e-3
    cost = _cost(arms @ rotation.T + centre + shift, rotation, shift, pixels, camera, config)
    for _ in range(rounds):
        matrix, gradient = _normal_equations(arms @ rotation.T, centre + shift, pixels, camera, config)
        prior = np.repeat([config.rotation_prior, config.translation_prior_m], 3) ** -2.0
        gradient += prior * np.concatenate([_vector(rotation), shift])
        step = np.linalg.solve(matrix + np.diag(prior + damping * np.diag(matrix)), -gradient)
        new_rotation, new_shift = _rotation(step[:3]) @ rotation, shift + step[3:]
        new_cost = _cost(
            arms @ new_rotation.T + centre + new_shift, new_rotation, new_shift, pixels, camera, config
        )
        if new_cost > cost:
            damping *= 10
            continue
        rotation, shift, damping = new_rotation, new_shift, damping / 3
        if cost - new_cost < 1e-10:
            break
        cost = new_cost
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation, centre + shift - rotation @ centre
    return camera.T_world_camera @ motion @ np.linalg.inv(camera.T_world_camera)


def transform(motion: Matrix4, points: Points) -> Points:
    """Points [n 3] after a motion."""
    return points @ motion[:3, :3].T + motion[:3, 3]


def follow(point: Point, steps: Float[np.ndarray, "t 4 4"]) -> Points:
    """A point and where motions carry it one after the other, [t + 1, 3]."""
    path = [point]
    for step in steps:
        path.append(transform(step, path[-1][None])[0])
    return np.stack(path)


def project_camera(points_camera: Points, camera: Camera) -> Pixels:
    """Camera points [n 3] to pixels [n 2]; what has come nearer than a centimetre is held there."""
    depth_m = np.maximum(points_camera[:, 2:], 0.01)
    return (points_camera / depth_m) @ np.asarray(camera.K, np.float64)[:2].T


def _cost(
    points: Points, rotation: Matrix3, shift: Point, pixels: Pixels, camera: Camera, config: MotionConfig
) -> float:
    error = np.linalg.norm(project_camera(points, camera) - pixels, axis=1)
    beyond = np.maximum(error - config.tolerance_px, 0)
    huber = np.minimum(error, config.tolerance_px) ** 2 + 2 * config.tolerance_px * beyond
    prior = np.sum(_vector(rotation) ** 2) / config.rotation_prior**2
    return float(huber.mean() + prior + np.sum(shift**2) / config.translation_prior_m**2)


def _normal_equations(
    arms: Points, centre: Point, pixels: Pixels, camera: Camera, config: MotionConfig
) -> tuple[Float[np.ndarray, "6 6"], Float[np.ndarray, "6"]]:
    """JᵀWJ and JᵀWr of the mean pixel error by (rotation about the centre, translation)."""
    points = arms + centre
    residual = project_camera(points, camera) - pixels
    weight = config.tolerance_px / np.maximum(np.linalg.norm(residual, axis=1), config.tolerance_px)
    depth_m = np.maximum(points[:, 2], 0.01)
    by_point = np.broadcast_to(camera.K[:2] / depth_m[:, None, None], (len(points), 2, 3)).copy()
    by_point[:, :, 2] -= (points / depth_m[:, None] ** 2) @ camera.K[:2].T
    turned = np.stack([_cross(arm) for arm in arms])
    jacobian = np.concatenate([-by_point @ turned, by_point], axis=2)
    weighted = jacobian * (weight / len(points))[:, None, None]
    return np.einsum("nip,niq->pq", weighted, jacobian), np.einsum("nip,ni->p", weighted, residual)


def _cross(vector: Point) -> Matrix3:
    """The matrix of the cross product with a vector."""
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def _rotation(vector: Point) -> Matrix3:
    return cv2.Rodrigues(np.asarray(vector, np.float64))[0]


def _vector(rotation: Matrix3) -> Point:
    return cv2.Rodrigues(rotation)[0][:, 0]
