"""The policy alone: its own view serves as the goal, so that nothing was planned or imagined.

The "no goal" row of a table: what it solves, a goal-image policy solves without any goal.
"""

from collections import deque
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from kinesight.agents.spatial_policy import Clock, case_generator
from kinesight.interfaces.stages import Policy
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, ViewRequest


class GoalFree:
    """An `Agent`; it looks when it needs a new chunk."""

    def __init__(self, policy: Policy, execute: int) -> None:
        self.policy = policy
        self.execute = execute

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.policy.request.privileged

    def reset(self, case: Case) -> None:
        self._case = case
        self._generator = case_generator(case)
        self._chunk: deque[Float[np.ndarray, "a"]] = deque()

    def request(self) -> ViewRequest:
        if self._chunk:
            return ViewRequest()
        return replace(self.policy.request, cameras=(self._case.camera,))

    def act(self, observation: Observation) -> Decision:
        clock = Clock()
        if not self._chunk:
            with clock.stage("act"):
                chunk = self.policy.act(observation, None, self._generator)
            self._chunk.extend(chunk.actions[: self.execute])
        return Decision(self._chunk.popleft(), (), clock.seconds)
