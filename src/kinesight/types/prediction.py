"""What a joint model says from one look: what it will see, what will happen, what to do."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinesight.types.action import ActionChunk
from kinesight.types.arrays import Depth
from kinesight.types.video import ImaginedVideo


@dataclass(frozen=True, slots=True)
class Prediction:
    """None stands for what the model was built without."""

    chunk: ActionChunk
    video: ImaginedVideo | None = None
    """The next frame."""
    depth_m: Depth | None = None
    """Of the next frame."""
    latents: Int[np.ndarray, "t n"] | None = None
    """Most likely codes of the key frames to come."""
    certainty: Float[np.ndarray, "t n"] | None = None
    """Probability of each of them."""
