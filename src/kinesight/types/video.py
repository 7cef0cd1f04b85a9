"""An imagined future."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from kinesight.types.arrays import Image, Video
from kinesight.types.plan import SpatialPlan


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
