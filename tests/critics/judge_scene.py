"""A drawn scene for the judge: a red arm with a patterned hand pushes a blue block over a striped table.

The camera stands at the world's origin with OpenCV axes: x right, y down, z forward; everything is 1 m away,
so that 1 cm is 1 px.
"""

import numpy as np

from kinesight.types.arrays import Image, Point, Video
from kinesight.types.camera import Camera
from kinesight.types.observation import Observation, View
from kinesight.types.plan import PlanRow, SpatialPlan
from kinesight.types.video import ImaginedVideo

SIZE = 96
CAMERA = Camera("front", np.array([[100.0, 0, 48], [0, 100, 48], [0, 0, 1]]), np.eye(4), SIZE, SIZE)
BLOCK = np.array([0.02, 0.30])
"""Middle of the block [m], x and y in the image's plane."""
CONTACT = BLOCK + np.array([-0.11, -0.02])
START = np.array([-0.30, -0.20])
END = CONTACT + np.array([0.24, 0.0])
PLAN = SpatialPlan(
    (
        PlanRow("move", (-1, -1, 0), float(np.linalg.norm(CONTACT - START))),  # right and down
        PlanRow("push", (-1, 0, 0), float(np.linalg.norm(END - CONTACT))),
    )
)


def way(frames: int = 8) -> np.ndarray:
    """Hand positions [frames 2] in metres: to the block, then with it to the right."""
    first = np.linalg.norm(CONTACT - START)
    length = first + np.linalg.norm(END - CONTACT)
    at = np.linspace(0, length, frames)[:, None]
    pushed = CONTACT + (at - first) * np.array([1.0, 0.0])
    return np.where(at < first, START + at / first * (CONTACT - START), pushed)


def draw(hand: np.ndarray, block: np.ndarray | None = BLOCK, arm: bool = True) -> Image:
    """The scene with the hand and the block at these places [m]; without a block, or without the arm."""
    rows = np.mgrid[:SIZE, :SIZE][0]
    image = np.full((SIZE, SIZE, 3), (150, 148, 140), np.uint8)
    image[45:] = (120, 85, 60)
    image[(rows > 45) & (rows % 9 == 0)] = (90, 60, 40)
    image[20:44, 70:90] = (60, 110, 70)
    if block is not None:
        x, y = (48 + 100 * block).round().astype(int)
        image[y - 8 : y + 8, x - 7 : x + 7] = (40, 60, 190)
        image[y - 3 : y + 3, x - 4 : x + 4] = (230, 190, 40)
    if arm:
        x, y = (48 + 100 * hand).round().astype(int)
        image[: max(y, 0), max(x - 5, 0) : x + 5] = (170, 30, 30)
        image[max(y, 0) : y + 6, max(x - 6, 0) : x + 6] = (200, 200, 210)
        image[max(y + 1, 0) : y + 6, max(x - 2, 0) : x + 2] = (20, 20, 20)
        image[max(y - 6, 0) : max(y - 3, 0), max(x - 5, 0) : x + 5] = (20, 150, 160)
    return image


def film(hand: np.ndarray, block: bool = True, arm: bool = True) -> Video:
    """Frames of a hand's way; the block is pushed once the hand is at it."""
    pushed = BLOCK + np.maximum(hand[:, :1] - CONTACT[0], 0) * np.array([1.0, 0.0])
    return np.stack([draw(h, b if block else None, arm) for h, b in zip(hand, pushed, strict=True)])


def point(hand: np.ndarray) -> Point:
    return np.array([*hand, 1.0])


def observation(hand: np.ndarray = START, first: Image | None = None) -> Observation:
    view = View(CAMERA, rgb=draw(hand) if first is None else first)
    return Observation(0, "push it", {"front": view}, np.array([*point(hand), 0, 0, 0, 1, 1]))


def video(frames: Video | None = None, plan: SpatialPlan | None = PLAN) -> ImaginedVideo:
    """The real film after its first frame, or other frames after the same first one."""
    real = film(way())
    return ImaginedVideo(real[0], real[1:] if frames is None else frames, plan, "push it")


def opposite(plan: SpatialPlan) -> SpatialPlan:
    rows = (PlanRow(r.verb, tuple(-s for s in r.direction), r.distance_m) for r in plan.rows)
    return SpatialPlan(tuple(rows))
