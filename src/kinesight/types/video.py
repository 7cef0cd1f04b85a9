"""An imagined future."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from kinesight.types.arrays import Image, Video
from kinesight.types.plan import SpatialPlan

MOVING = 16
"""Grey levels by which a pixel must differ between two frames to count as moving."""


@dataclass(frozen=True, slots=True)
class ImaginedVideo:
    """Frames that an imaginer expects after `first`, in order of time; `future_steps` says when."""

    first: Image
    frames: Video
    plan: SpatialPlan | None
    instruction: str


def future_steps(now: int, last: int, frames: int, spacing: int) -> Int[np.ndarray, "t"]:
    """Steps of an episode that the frames of a video from step `now` on show.

    They are `spacing` steps apart, and the episode's last step stays when it is over; with 0 they are spread
    evenly from now to that step.
    """
    if spacing:
        return np.minimum(now + spacing * np.arange(1, frames + 1), last)
    return np.rint(np.linspace(now, last, frames + 1)).astype(int)[1:]


def moving_pixels(frames: Video, now: Image) -> Bool[np.ndarray, "t y x"]:
    """Where a frame differs from the present one: what was to be foreseen."""
    return np.any(np.abs(frames.astype(np.int64) - now) >= MOVING, axis=-1)


def moving_error(imagined: Video, real: Video, moving: Bool[np.ndarray, "t y x"]) -> float:
    """Mean absolute difference over moving pixels, of the full range."""
    return float(np.abs(imagined.astype(np.float64) - real).mean(-1)[moving].mean() / 255)
