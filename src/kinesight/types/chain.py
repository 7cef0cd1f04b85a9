"""Several tasks in a row, in one scene."""

from dataclasses import dataclass

from kinesight.types.case import Case


@dataclass(frozen=True, slots=True)
class ChainState:
    """How far the episode of an environment is whose case holds several tasks."""

    case: Case
    """Of the task that is on. An agent is reset to it when it begins: it need not know of chains."""
    done: int
    """Tasks that were done, one after another."""
    length: int
    handing_over: bool = False
    """The task that is on is done, another one follows: the next step only begins it, whatever its action."""

    def __post_init__(self) -> None:
        if not 0 <= self.done <= self.length or self.length < 1:
            raise ValueError(f"expected 0 <= done <= length and a task at least, got {self}")
