"""What a model was trained on, and so what it needs to meet again at test time."""

from collections.abc import Mapping
from dataclasses import dataclass

from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.errors import NotRecorded
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
    action: ActionSpec | None
    """None where no actions were recorded: video alone."""
    proprio_low: tuple[float, ...]
    """Smallest and largest value of every proprioceptive dimension in the demonstrations; () without."""
    proprio_high: tuple[float, ...]
    words: tuple[str, ...]
    """Vocabulary of the instructions."""
    moving_cameras: bool = False
    """The cameras may have stood elsewhere from episode to episode; `calibration` holds one place of many."""
    uncalibrated_size: tuple[int, int] | None = None
    """Height and width [px] of pictures whose cameras nobody calibrated; `calibration` is empty then."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width [px], the same for all cameras."""
        if self.uncalibrated_size is not None:
            return self.uncalibrated_size
        camera = next(iter(self.calibration.values()))
        return camera.height, camera.width

    def action_space(self) -> ActionSpec:
        """For a model that acts; raises `NotRecorded` for video alone."""
        if self.action is None:
            raise NotRecorded("action")
        return self.action

    def proprio_range(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Smallest and largest values, for a model that feels; raises `NotRecorded` where there are none."""
        if not self.proprio_low:
            raise NotRecorded("proprio")
        return self.proprio_low, self.proprio_high

    @property
    def request(self) -> ViewRequest:
        """Pictures as the model was trained on them, from all its cameras."""
        height, width = self.image_size
        return ViewRequest(cameras=self.cameras, height=height, width=width, crop=self.crop)
