"""Control of any agent: it is told another task than the one that counts.

What it still solves needs no instruction: the scene alone said what to do, or chance did. An agent that reads
the simulator's scene would find the true target and goal in it; `see` shows it those of the task it is told.
"""

from collections.abc import Callable
from dataclasses import replace

from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, Scene, ViewRequest

TellOtherwise = Callable[[Case], tuple[Case, str]]
"""Case -> the one that the agent takes it for, and the instruction of that one; a pure function."""
SeeOtherwise = Callable[[Case, Case, Scene], Scene]
"""The case, the one that the agent takes it for, the scene -> the scene as that one has it, where it can."""


def as_it_is(case: Case, told: Case, scene: Scene) -> Scene:
    return scene


class Misled:
    """An `Agent` that is reset to another case and reads its instruction; it sees what there is to see."""

    def __init__(self, agent: Agent, tell: TellOtherwise, see: SeeOtherwise = as_it_is) -> None:
        self.agent = agent
        self.tell = tell
        self.see = see

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.agent.privileged

    def reset(self, case: Case) -> None:
        self._case = case
        self._told, self._instruction = self.tell(case)
        self.agent.reset(self._told)

    def request(self) -> ViewRequest:
        return self.agent.request()

    def act(self, observation: Observation) -> Decision:
        scene = observation.scene
        if scene is not None:
            scene = self.see(self._case, self._told, scene)
        return self.agent.act(replace(observation, instruction=self._instruction, scene=scene))
