"""Small episodes, and functions that worker processes can import."""

import os
import sys
import threading
import time

import numpy as np

from kinesight.data.episodes import Episode
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName


def camera(name: str) -> Camera:
    return Camera(name, np.eye(3) * 4.5, np.eye(4), 4, 5)


def episode(length: int, index: int, generator: np.random.Generator) -> Episode:
    def picture(offset: int) -> np.ndarray:
        return np.broadcast_to(
            (offset + 40 * index + np.arange(length + 1, dtype=np.uint8))[:, None, None, None],
            (length + 1, 4, 5, 3),
        ).astype(np.uint8)

    return Episode(
        index=index,
        case=Case("toy", "ab"[index % 2], 1000 + index, "l"),
        instruction=f"do {'ab'[index % 2]}",
        length=length,
        cameras={"l": camera("l"), "r": camera("r")},
        keyframes=tuple(range(1, length, 3)),
        text={"noise_std": 0.1},
        arrays={
            "rgb.l": picture(0),
            "rgb.r": picture(20),
            "depth_mm.l": generator.integers(0, 2**16, (length + 1, 4, 5)).astype(np.uint16),
            "proprio": generator.random((length + 1, 8), dtype=np.float32),
            "action": generator.random((length, 4), dtype=np.float32),
            "success": np.arange(length) == length - 1,
        },
    )


def square(x: int) -> int:
    print("noise on stdout")
    return x * x


def slow_first(x: int) -> int:
    time.sleep(0.2 if x == 0 else 0.0)
    return x


def fail_at_three(x: int) -> int:
    if x == 3:
        raise UnknownName("task", "dor", ["door"])
    return x


def die_at_three(x: int) -> int:
    if x == 3:
        os._exit(7)
    return x


def leave_after_zero(x: int) -> int:
    if x == 0:
        threading.Timer(0.3, os._exit, (0,)).start()
    return x


def not_picklable(x: int):
    return lambda: x


def remember(state: int) -> None:
    sys.modules[__name__].__dict__["REMEMBERED"] = state


def remembered(x: int) -> tuple[int, str | None]:
    return globals()["REMEMBERED"] + x, os.environ.get("OMP_NUM_THREADS")


def double_proprio(episode: Episode) -> dict[str, np.ndarray]:
    return {"double": 2 * episode.arrays["proprio"], "plan.row": np.arange(episode.length)}


class Fails:
    """Derives until it meets an episode that is longer than `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, episode: Episode) -> dict[str, np.ndarray]:
        if episode.length > self.limit:
            raise RuntimeError("out of luck")
        return {"double": 2 * episode.arrays["proprio"]}
