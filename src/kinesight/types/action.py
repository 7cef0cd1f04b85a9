"""Actions in [-1, 1] and what each dimension means."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """Names, units and scales of an action's dimensions; an action of 1 moves by `scales` units a step."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.units) == len(self.scales):
            raise ValueError(f"names, units and scales differ in length: {self}")

    @property
    def dimensions(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class ActionChunk:
    """The next `h` actions, to be executed in order."""

    actions: Float[np.ndarray, "h a"]
