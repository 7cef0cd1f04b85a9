"""Noisy execution of any agent with clean labels."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, ViewRequest

SEGMENT_STEPS = 10
"""Steps over which execution is either noisy or clean."""
NOISY_SHARE = 0.5
"""Probability that a segment is noisy."""


class Noisy:
    """Executes an agent's actions with Gaussian noise in bursts; the label stays the agent's own action.

    Demonstrations then hold states beside the expert's path together with the way back. The gripper stays
    clean: letting go cannot be corrected.
    """

    def __init__(self, agent: Agent, std: float) -> None:
        if not (np.isfinite(std) and std >= 0):
            raise UsageError(f"The standard deviation of action noise must be at least 0, got {std}.")
        self._agent = agent
        self._std = std

    @property
    def privileged(self) -> tuple[str, ...]:
        return self._agent.privileged

    def reset(self, case: Case) -> None:
        self._agent.reset(case)
        entropy = [int.from_bytes(text.encode(), "little") for text in (case.env, case.task, case.start)]
        self._generator = np.random.default_rng(np.random.SeedSequence([*entropy, case.seed, case.variation]))
        self._noisy = False
        self._steps = 0

    def request(self) -> ViewRequest:
        return self._agent.request()

    def act(self, observation: Observation) -> Decision:
        decision = self._agent.act(observation)
        if self._steps % SEGMENT_STEPS == 0:
            self._noisy = bool(self._generator.random() < NOISY_SHARE)
        self._steps += 1
        if not self._noisy:
            return decision
        return replace(decision, action=self._disturbed(decision.action), label=decision.action)

    def _disturbed(self, action: Float[np.ndarray, "a"]) -> Float[np.ndarray, "a"]:
        noise = self._std * self._generator.standard_normal(3)
        moved = np.clip(action[:3] + noise, -1.0, 1.0)
        return np.append(moved, action[3:]).astype(action.dtype)
