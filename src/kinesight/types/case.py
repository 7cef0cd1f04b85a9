"""What fixes an episode, beside the agent's checkpoint."""

from dataclasses import dataclass

from kinesight.types.errors import UsageError

STARTS = ("standard", "shifted")


@dataclass(frozen=True, slots=True)
class Case:
    """An episode is a pure function of its case and the agent.

    `start="shifted"`: a constant action drawn from the case moves the arm for `SHIFT_STEPS` steps before
    the agent takes over, outside its step limit.
    """

    env: str
    task: str
    seed: int
    camera: str
    start: str = "standard"
    split: str = ""
    variation: int = 0

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise UsageError(f"start must be one of {', '.join(STARTS)}, got {self.start!r}")


SHIFT_STEPS = 25
