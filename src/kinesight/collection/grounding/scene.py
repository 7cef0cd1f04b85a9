"""What the questions need to know of an episode: the border between simulators and records.

One implementation for each environment (`SCENES` in `grounding/make.py`). Everything is privileged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from kinesight.geometry.spatial_relations import Solid
from kinesight.types.arrays import Points
from kinesight.types.camera import Camera
from kinesight.types.ground import Action
from kinesight.types.observation import View

GRIPPER = "gripper"
"""Name of the robot's hand among the things of a scene."""


@dataclass(frozen=True, slots=True)
class ThingFacts:
    """What holds for a thing through the whole episode."""

    name: str
    words: str = ""
    """ "the red cube": fits this thing only; "" where no words do."""
    kind: str = ""
    colour: str = ""
    """ "" where it has none or several."""
    holds: str = ""
    """ "in" or "on": how things lie that it carries; "" where it carries none."""
    movable: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """One view under one look, through all moments of an episode."""

    number: int
    camera: Camera
    look: str
    light: Mapping[str, Any] = field(default_factory=dict)
    literal: bool = True
    """Whether left, right, in front and behind of the sentences are those of this picture."""


@runtime_checkable
class GroundScene(Protocol):
    """Kept states of one episode: put one, then draw and measure it."""

    @property
    def things(self) -> tuple[ThingFacts, ...]: ...

    @property
    def absent_kinds(self) -> tuple[str, ...]:
        """Kinds of things that other scenes have and this one does not."""
        ...

    @property
    def actions(self) -> tuple[Action, ...]: ...

    @property
    def names(self) -> Mapping[int, str]:
        """Segmentation id -> "thing/part"."""
        ...

    def takes(
        self, cameras: Sequence[str], looks: Sequence[str], height: int, width: int
    ) -> tuple[Take, ...]:
        """All cameras under all looks; what is random in them depends on the case only."""
        ...

    def put(self, moment: int) -> None: ...

    def view(self, take: Take) -> View:
        """Colours, depth and ids of the present state."""
        ...

    def solids(self) -> dict[str, Solid]:
        """Boxes of the things and of the gripper in the present state."""
        ...

    def long_side(self, name: str) -> Float[np.ndarray, "2"] | None:
        """Direction of a long thing's long side on the table, a unit vector; None for what has none."""
        ...

    def moving(self, action: Action) -> tuple[str, Points] | None:
        """What an action moves, in words, and where that is at each moment [t 3]; None for nothing."""
        ...

    def direct(self, number: int) -> bool:
        """Whether the action of that number was done at the first attempt: a detour is no path to learn."""
        ...

    def part_words(self, thing: str, part: str) -> str:
        """A part in words, "the handle of the drawer", or "" where the part has no name for people."""
        ...
