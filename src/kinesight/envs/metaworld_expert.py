"""Meta-World's scripted experts as agents."""

import warnings

import numpy as np
from metaworld.policies import ENV_POLICY_MAP

from kinesight.envs.metaworld_tables import INSTRUCTIONS
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import lookup
from kinesight.types.observation import Observation, ViewRequest


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
