"""Pinhole projection between the world and the pixels of a camera, and what a crop or a resize does to it.

World points are metres in the world frame; camera points have OpenCV axes (x right, y down, z forward);
pixels are (x, y), x to the right and y down, the centre of the first pixel at (0.5, 0.5). All arithmetic is
float64 whatever comes in.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from kinesight.types.arrays import Pixels, Points
from kinesight.types.camera import Camera, CropWindow


def world_to_camera(points_world: Points, camera: Camera) -> Points:
    """World points [n 3] in the camera's axes, metres."""
    rotation, position = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    return (np.asarray(points_world, np.float64) - position) @ rotation


def camera_to_world(points_camera: Points, camera: Camera) -> Points:
    """Camera points [n 3] in the world frame, metres."""
    rotation, position = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    return np.asarray(points_camera, np.float64) @ rotation.T + position


def project(points_world: Points, camera: Camera) -> Pixels:
    """World points [n 3] to pixels [n 2]. A point on or behind the camera's plane has no picture: NaN.

    Points outside the image are projected all the same; see `inside`.
    """
    points = world_to_camera(points_world, camera)
    depth_m = points[:, 2:]
    rays = np.divide(points, depth_m, out=np.full_like(points, np.nan), where=depth_m > 0)
    return rays @ np.asarray(camera.K, np.float64)[:2].T


def unproject(pixels_xy: Pixels, depth_m: Float[np.ndarray, "n"], camera: Camera) -> Points:
    """Pixels [n 2] with z-depth [n] in metres to world points [n 3]. Zero depth is invalid: NaN."""
    depth_m = np.asarray(depth_m, np.float64)[:, None]
    homogeneous = np.concatenate([np.asarray(pixels_xy, np.float64), np.ones_like(depth_m)], axis=1)
    rays = homogeneous @ np.linalg.inv(np.asarray(camera.K, np.float64)).T
    return camera_to_world(rays * np.where(depth_m > 0, depth_m, np.nan), camera)


def inside(pixels_xy: Pixels, camera: Camera) -> np.ndarray:
    """Which pixels [n 2] lie within the image; bool [n]. NaN does not."""
    return np.all((pixels_xy >= 0) & (pixels_xy < (camera.width, camera.height)), axis=1)


def pixel_centres(camera: Camera) -> Pixels:
    """Centres of all pixels in reading order, [height·width 2]; matches `picture.reshape(-1, …)`."""
    rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def crop_box(height: int, width: int, window: CropWindow) -> Int[np.ndarray, "4"]:
    """The window in whole pixels of a height × width picture: (top, left, bottom, right), never empty."""
    top, bottom = np.rint(np.array([window.top, window.top + window.height]) * height)
    left, right = np.rint(np.array([window.left, window.left + window.width]) * width)
    top, left = min(top, height - 1), min(left, width - 1)
    return np.array([top, left, max(bottom, top + 1), max(right, left + 1)], np.int64)


def crop(camera: Camera, window: CropWindow) -> Camera:
    """The camera that sees the part `crop_picture` cuts out of this camera's pictures."""
    top, left, bottom, right = (int(edge) for edge in crop_box(camera.height, camera.width, window))
    return replace(camera, K=_shift(left, top) @ camera.K, height=bottom - top, width=right - left)


def crop_picture(picture: np.ndarray, window: CropWindow) -> np.ndarray:
    """The part of a picture [y x …] inside the window, as a view on it."""
    top, left, bottom, right = crop_box(picture.shape[0], picture.shape[1], window)
    return picture[top:bottom, left:right]


def resize(camera: Camera, height: int, width: int) -> Camera:
    """The camera of the same view stretched to height × width pixels."""
    scale = np.diag([width / camera.width, height / camera.height, 1.0])
    return replace(camera, K=scale @ camera.K, height=height, width=width)


def _shift(left: int, top: int) -> Float[np.ndarray, "3 3"]:
    return np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
