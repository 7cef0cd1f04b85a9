"""The scripted expert of one task in the scene of another that begins alike.

Its frames are goals that belong to the scene and not to the task: an agent that follows its goals turns the
faucet off where it was told to turn it on.
"""

from collections.abc import Mapping
from dataclasses import replace

from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import lookup
from kinesight.types.observation import Observation, ViewRequest


class CounterpartExpert:
    """Does the counterpart of whatever task it is reset to."""

    def __init__(self, expert: Agent, counterparts: Mapping[str, str]) -> None:
        self._expert, self._counterparts = expert, counterparts

    @property
    def privileged(self) -> tuple[str, ...]:
        return self._expert.privileged

    def reset(self, case: Case) -> None:
        other = lookup("task with a counterpart in its scene", case.task, self._counterparts)
        self._expert.reset(replace(case, task=other))

    def request(self) -> ViewRequest:
        return self._expert.request()

    def act(self, observation: Observation) -> Decision:
        return self._expert.act(observation)
