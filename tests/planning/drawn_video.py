"""RGB-D videos of boxes on a table, drawn by intersecting rays: truth without a simulator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinesight.planning.object_track import RgbdVideo
from kinesight.types.camera import Camera

SIZE = 120
TABLE = (120, 110, 100)


@dataclass(frozen=True)
class Box:
    """By its middle and full lengths, metres; upright, without a turn."""

    middle: tuple[float, float, float]
    size: tuple[float, float, float]
    colour: tuple[int, int, int]


def camera() -> Camera:
    """From the front and above, at about 0.9 m."""
    eye, target = np.array([0.0, -0.7, 0.6]), np.array([0.0, 0.0, 0.0])
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.array([1.0, 0.0, 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = eye
    focal = 1.35 * SIZE
    return Camera(
        "drawn", np.array([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1]]), pose, SIZE, SIZE
    )


CAMERA = camera()


def picture(boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
    """Colour and z-depth; the sides of a box are shaded by their direction."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    rays = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3) @ np.linalg.inv(CAMERA.K).T
    eye, rays = CAMERA.T_world_camera[:3, 3], rays @ CAMERA.T_world_camera[:3, :3].T
    depth = -eye[2] / np.where(rays[:, 2] < 0, rays[:, 2], np.nan)
    grain = 6 * np.sin(90 * (eye + depth[:, None] * rays)[:, :2]).sum(axis=1)
    colour = np.array(TABLE) + grain[:, None]
    for box in boxes:
        low, high = (np.array(box.middle) + sign * np.array(box.size) / 2 for sign in (-1, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = (low - eye) / rays, (high - eye) / rays
        near, far = np.fmin(one, other), np.fmax(one, other)
        enter, leave = near.max(axis=1), far.min(axis=1)
        hit = (enter < leave) & (enter > 0) & ~(depth < enter)
        shade = np.array([0.85, 0.7, 1.0])[near.argmax(axis=1)]
        depth = np.where(hit, enter, depth)
        colour = np.where(hit[:, None], shade[:, None] * np.array(box.colour), colour)
    depth = np.nan_to_num(depth, nan=0.0)
    colour = np.where((depth > 0)[:, None], colour, 0).clip(0, 255)
    return colour.reshape(SIZE, SIZE, 3).astype(np.uint8), depth.reshape(SIZE, SIZE).astype(np.float32)


def video(frames: Sequence[Sequence[Box]]) -> RgbdVideo:
    rgb, depth = zip(*(picture(boxes) for boxes in frames), strict=True)
    return RgbdVideo(np.stack(rgb), np.stack(depth), CAMERA)


RED, BLUE, GREEN, GREY = (200, 40, 40), (40, 60, 200), (40, 160, 60), (90, 90, 95)
CUBE = (0.05, 0.05, 0.05)


@dataclass(frozen=True)
class Scene:
    """A hand comes, takes or pushes the red cube away, and leaves; blue and green stay."""

    video: RgbdVideo
    truth: np.ndarray
    """Middle of the red cube [t 3]."""
    opening: np.ndarray
    taken: int
    """Frame in which it begins to move."""
    left: int
    """Frame in which it has come to rest."""


def moved_cube(lift: float = 0.10, two_colours: bool = False, colour: tuple[int, int, int] = RED) -> Scene:
    """`two_colours`: the cube's upper half is green."""
    start, end = np.array([-0.12, 0.02, 0.025]), np.array([0.12, 0.06, 0.025])
    home, over = np.array([0.0, 0.25, 0.35]), np.array([0.0, 0.0, 0.045])
    legs = [(home, start + over, 10), (start + over, start + over, 4)]
    truth = [start] * 14
    hand = _line(legs)
    up, across = np.array([0.0, 0.0, lift]), end - start
    way = [start + up * min(s * 4, 1.0, (1 - s) * 4) + across * s for s in np.linspace(0, 1, 21)[1:]]
    truth += way
    hand += [at + over for at in way]
    hand += _line([(end + over, end + over, 4), (end + over, home, 8)])
    truth += [end] * 12
    frames = []
    for at, tip in zip(truth, hand, strict=True):
        frames.append([
            *(_halves(at) if two_colours else [Box(tuple(at), CUBE, colour)]),
            Box((0.0, -0.10, 0.025), CUBE, BLUE),
            Box((0.02, 0.16, 0.025), CUBE, GREEN),
            Box((*tip[:2], tip[2] + 0.06), (0.03, 0.03, 0.12), GREY),
        ])  # fmt: skip
    opening = np.r_[
        np.ones(10), np.linspace(1, 0.5, 5)[1:], np.full(20, 0.5), np.linspace(0.5, 1, 5)[1:], np.ones(8)
    ]
    return Scene(video(frames), np.stack(truth), opening, 14, 33)


def _halves(at: np.ndarray) -> list[Box]:
    x, y, z = at
    size = (0.05, 0.05, 0.025)
    return [Box((x, y, z - 0.0125), size, RED), Box((x, y, z + 0.0125), size, GREEN)]


def _line(legs) -> list[np.ndarray]:
    return [a + (b - a) * s for a, b, count in legs for s in np.linspace(0, 1, count + 1)[1:]]
