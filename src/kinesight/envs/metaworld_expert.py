"""Meta-World's scripted experts as agents, and noisy execution of any agent with clean labels."""

import warnings
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from metaworld.policies import ENV_POLICY_MAP

from kinesight.envs.metaworld_tables import INSTRUCTIONS
from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import UsageError, lookup
from kinesight.types.observation import Observation, ViewRequest

SEGMENT_STEPS = 10
"""Steps over which execution is either noisy or clean."""
NOISY_SHARE = 0.5
"""Probability that a segment is noisy."""


class ScriptedExpert:
    """Reads object poses from the simulator; its actions are clipped to [-1, 1], as the simulator does."""

    privileged = ("scene",)

    def __init__(self) -> None:
        self._task = ""

    def reset(self, case: Case) -> None:
        lookup("Meta-World task", case.task, INSTRUCTIONS)
        if case.task != self._task:
            self._task = case.task
            self._policy = ENV_POLICY_MAP[f"{case.task}-v3"]()

    def request(self) -> ViewRequest:
        return ViewRequest(scene=True)

    def act(self, observation: Observation) -> Decision:
        assert observation.scene is not None, "the expert asked for the scene"
        with warnings.catch_warnings():
            # "Constant(s) may be too high": about the same clipping, once for every policy file
            warnings.simplefilter("ignore", UserWarning)
            theirs = np.clip(self._policy.get_action(observation.scene.state), -1.0, 1.0)
        ours = np.append(theirs[:3], -theirs[3]).astype(np.float32)  # Meta-World's +1 closes the gripper
        return Decision(action=ours)


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
