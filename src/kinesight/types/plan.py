"""The spatial plan table (Spatial Policy, Eq. 1-2): rows of verb, direction and distance.

Ids equal the official ones: verbs 0-9 in the order below, direction 9(x+1) + 3(y+1) + (z+1), at most ten
rows, padded with (pad, (0, 0, 0), 0).
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from kinesight.types.errors import KinesightError, UnknownName
from kinesight.types.note import Note

VERBS = ("move", "reach", "grasp", "push", "pull", "strike", "slide", "adjust", "rotate", "pad")
PAD_VERB = VERBS.index("pad")
NO_DIRECTION = 13
DIRECTIONS = 27
MAX_ROWS = 10


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One sub-goal in the plan frame of a camera.

    `direction` holds signs along the plan axes (x: right -, left +; y: up +, down -; z: forward -,
    back +), the negated OpenCV axes; `distance_m` is at least 0.
    """

    verb: str
    direction: tuple[int, int, int]
    distance_m: float

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise UnknownName("verb", self.verb, VERBS)
        if len(self.direction) != 3 or any(sign not in (-1, 0, 1) for sign in self.direction):
            raise ValueError(f"direction must be three of -1, 0, 1, got {self.direction}")
        if not (np.isfinite(self.distance_m) and self.distance_m >= 0):
            raise ValueError(f"distance must be finite and not negative, got {self.distance_m}")


@dataclass(frozen=True, slots=True)
class SpatialPlan:
    """Sub-goals in the order of execution."""

    rows: tuple[PlanRow, ...]
    notes: tuple[Note, ...] = field(default=(), compare=False)
    """How the planner came to it; plans of the same rows are equal."""


class NoPlan(KinesightError):
    """A planner that tried several ways found no plan; the notes tell of all but the last."""

    def __init__(self, message: str, notes: tuple[Note, ...] = ()) -> None:
        super().__init__(message)
        self.notes = notes


@dataclass(frozen=True, slots=True)
class EncodedPlan:
    """A plan as arrays, padded to `MAX_ROWS`."""

    verbs: Int[np.ndarray, "k"]
    directions: Int[np.ndarray, "k"]
    distances_m: Float[np.ndarray, "k"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a planner is told when it is asked again."""

    reason: str
    until_now: tuple[str, ...] = ()
    """What became of the earlier plan, in words."""
