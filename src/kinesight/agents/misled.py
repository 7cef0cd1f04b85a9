"""Control of any agent: it is told another task than the one that counts.

What it still solves needs no instruction: the scene alone said what to do, or chance did.
"""

from collections.abc import Callable
from dataclasses import replace

from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, ViewRequest

TellOtherwise = Callable[[Case], tuple[Case, str]]
"""Case -> the one that the agent takes it for, and the instruction of that one; a pure function."""


class Misled:
    """An `Agent` that is reset to another case and reads its instruction; it sees what there is to see."""

    def __init__(self, agent: Agent, tell: TellOtherwise) -> None:
        self.agent = agent
        self.tell = tell
        self._instruction = ""

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.agent.privileged

    def reset(self, case: Case) -> None:
        told, self._instruction = self.tell(case)
        self.agent.reset(told)

    def request(self) -> ViewRequest:
        return self.agent.request()

    def act(self, observation: Observation) -> Decision:
        return self.agent.act(replace(observation, instruction=self._instruction))
