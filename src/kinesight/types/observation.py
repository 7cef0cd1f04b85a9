"""What an agent may ask for and what it gets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, UInt8

from kinesight.types.arrays import Depth, Image, Point, Segmentation
from kinesight.types.camera import Camera
from kinesight.types.chain import ChainState
from kinesight.types.decision import Event

PROPRIO_NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw", "gripper_open")
"""End effector position [m] and unit quaternion in the world frame; gripper 0 closed … 1 open."""


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Which pictures to render. Nothing that is not asked for is rendered.

    `crop=True` applies the crop window that the environment's table names for the task and view.
    `scene=True` asks for the privileged `Scene`. `large_side` asks for every camera's picture once more, for
    who needs a finer one than the others.
    """

    cameras: tuple[str, ...] = ()
    height: int = 128
    width: int = 128
    rgb: bool = True
    depth: bool = False
    segmentation: bool = False
    crop: bool = True
    scene: bool = False
    large_side: int = 0
    """Pixels along the longer side of `View.large_rgb`, in proportion to height and width; 0 for none."""

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"image size must be positive, got {self.height} x {self.width}")
        if self.large_side < 0:
            raise ValueError(f"large_side must not be negative, got {self.large_side}")

    @property
    def large(self) -> "ViewRequest":
        """The request of the large pictures alone."""
        scale = self.large_side / max(self.height, self.width)
        height, width = (max(1, round(scale * side)) for side in (self.height, self.width))
        return ViewRequest(self.cameras, height, width, crop=self.crop)

    @property
    def privileged(self) -> tuple[str, ...]:
        """What of it a real robot would not have."""
        return tuple(name for name in ("scene", "segmentation") if getattr(self, name))


@dataclass(frozen=True, slots=True)
class View:
    """One camera's pictures, all but the large one of the camera's height and width."""

    camera: Camera
    rgb: Image | None = None
    depth_m: Depth | None = None
    segmentation: Segmentation | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    """Segmentation id -> object name; 0 is the background."""
    large_rgb: UInt8[np.ndarray, "large_y large_x 3"] | None = None
    """The same view with more pixels, see `ViewRequest.large_side`."""

    def __post_init__(self) -> None:
        for picture in (self.rgb, self.depth_m, self.segmentation):
            if picture is not None and picture.shape[:2] != (self.camera.height, self.camera.width):
                raise ValueError(
                    f"view {self.camera.name!r}: picture of {picture.shape[:2]}, "
                    f"camera of {(self.camera.height, self.camera.width)}"
                )


def drawn_view(request: ViewRequest, draw: Callable[[ViewRequest], View]) -> View:
    """What an environment draws for the request, with the large picture if it asks for one."""
    view = draw(request)
    return replace(view, large_rgb=draw(request.large).rgb) if request.large_side else view


@dataclass(frozen=True, slots=True)
class Scene:
    """Privileged: what only a simulator knows."""

    points: Mapping[str, Point]
    """Named positions in the world frame [m]; a manipulation task has at least "target" and "goal"."""
    state: Float[np.ndarray, "d"]
    """The simulator's own low-level observation, as its scripted experts read it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen before action `step`."""

    step: int
    instruction: str
    views: Mapping[str, View]
    proprio: Float[np.ndarray, "8"]
    """See `PROPRIO_NAMES`."""
    scene: Scene | None = None
    """Only on request; agents and planners that ask for it declare themselves privileged."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What an environment tells after a reset or a step, without rendering anything."""

    step: int
    success: bool
    """Whether the task's success predicate holds now."""
    truncated: bool
    """The step limit is reached; a further step is an error."""
    events: tuple[Event, ...] = ()
    """What the world has to tell, such as that a task of several was done."""
    chain: ChainState | None = None
    """In environments whose case holds several tasks."""
