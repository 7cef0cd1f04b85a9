"""The world, seen from the loop."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from kinesight.types.action import ActionSpec
from kinesight.types.case import Case
from kinesight.types.observation import Observation, StepResult, ViewRequest


@runtime_checkable
class Environment(Protocol):
    """One episode of one case; a fresh environment for each.

    `reset` also plays the shifted start, if the case asks for it. `observe` renders what is asked for and
    changes nothing. `step` after truncation is an error. Where the case holds several tasks, results tell
    which is on (`StepResult.chain`).
    """

    @property
    def case(self) -> Case: ...
    @property
    def action_spec(self) -> ActionSpec: ...
    def reset(self) -> StepResult: ...
    def step(self, action: Float[np.ndarray, "a"]) -> StepResult: ...
    def observe(self, request: ViewRequest) -> Observation: ...
