"""Any agent that is not told what to do: a control for tasks that could be told apart by sight."""

from dataclasses import replace

from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, ViewRequest


class Unspoken:
    """An `Agent` whose instructions are empty."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.agent.privileged

    def reset(self, case: Case) -> None:
        self.agent.reset(case)

    def request(self) -> ViewRequest:
        return self.agent.request()

    def act(self, observation: Observation) -> Decision:
        return self.agent.act(replace(observation, instruction=""))
