"""What a model was trained on, and so what it needs to meet again at test time."""

from collections.abc import Mapping
from dataclasses import dataclass

from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.observation import ViewRequest


@dataclass(frozen=True, slots=True, eq=False)
class DataFacts:
    """Stored in every checkpoint beside the model's configuration."""

    env: str
    tasks: tuple[str, ...]
    cameras: tuple[str, ...]
    calibration: Mapping[str, Camera]
    """"task/camera" -> the camera, with its crop and size, that the pictures were taken with."""
    crop: bool
    """Whether the environment's crop windows were applied."""
    action: ActionSpec
    proprio_low: tuple[float, ...]
    """Smallest and largest value of every proprioceptive dimension in the demonstrations."""
    proprio_high: tuple[float, ...]
    words: tuple[str, ...]
    """Vocabulary of the instructions."""
    moving_cameras: bool = False
    """The cameras may have stood elsewhere from episode to episode; `calibration` holds one place of many."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width [px], the same for all cameras."""
        camera = next(iter(self.calibration.values()))
        return camera.height, camera.width

    @property
    def request(self) -> ViewRequest:
        """Pictures as the model was trained on them, from all its cameras."""
        height, width = self.image_size
        return ViewRequest(cameras=self.cameras, height=height, width=width, crop=self.crop)
