"""An imagined future."""

from dataclasses import dataclass

from kinesight.types.arrays import Image, Video
from kinesight.types.plan import SpatialPlan


@dataclass(frozen=True, slots=True)
class ImaginedVideo:
    """Frames that an imaginer expects after `first`, evenly spread from now to the end of the task."""

    first: Image
    frames: Video
    plan: SpatialPlan | None
    instruction: str
