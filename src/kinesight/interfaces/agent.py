"""The only thing that evaluation knows."""

from typing import Protocol, runtime_checkable

from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, ViewRequest


@runtime_checkable
class Agent(Protocol):
    """Acts on what it asked to see. All randomness comes from the case given to `reset`."""

    @property
    def privileged(self) -> tuple[str, ...]:
        """What the agent uses that a real robot would not have, e.g. ("scene",)."""
        ...

    def reset(self, case: Case) -> None:
        """A task begins; where an episode has several, each does."""
        ...

    def request(self) -> ViewRequest:
        """What the next `act` wants to see; may ask for less at steps without a decision."""
        ...

    def act(self, observation: Observation) -> Decision: ...
