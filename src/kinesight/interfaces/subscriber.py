"""Those that watch an episode without taking part: recording, video, statistics."""

from typing import Protocol, runtime_checkable

from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, StepResult
from kinesight.types.results import EpisodeResult


@runtime_checkable
class Subscriber(Protocol):
    """Is told of an episode's start, of every step after it was made, and of the end."""

    def start(self, case: Case, environment: Environment) -> None:
        """The environment was reset; a subscriber may observe it whenever it is told something."""
        ...

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        """What the agent saw, what it decided, and what the environment said then."""
        ...

    def end(self, result: EpisodeResult) -> None: ...
