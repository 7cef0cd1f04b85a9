"""When the loop starts over: at the imagined video, while acting, or not at all (Spatial Policy, Table 5).

NR plans once and follows the first video to its end. GR imagines again, under the same plan, what the critic
rejects. GR&ER also plans anew when the arm is stuck or the video is used up. The paper repeats a rejected
video until one is accepted and gives no limit to either stage; here both have one.
"""

from dataclasses import dataclass

from kinesight.types.errors import UsageError


@dataclass(frozen=True, slots=True)
class Replanning:
    """Which stages may start over, and how often."""

    generation: bool = True
    """Imagine again what the critic rejects. Without a critic nothing is rejected; with this off a critic
    only records what it thinks."""
    execution: bool = True
    """Plan again from what is seen now when the arm is stuck or every imagined goal is over."""
    max_videos: int = 2
    """Videos a plan, the first one included; when none is accepted, the one with the highest score is
    followed. 2 bounds the time of imagining to twice that of never rejecting."""
    max_plans: int = 5
    """Plans an episode; counts where `execution` is on."""

    def __post_init__(self) -> None:
        if self.max_videos < 1 or self.max_plans < 1:
            raise UsageError(f"max_videos and max_plans must be at least 1, got {self}")

    @property
    def plans(self) -> int:
        """Most plans an episode."""
        return self.max_plans if self.execution else 1

    @property
    def videos(self) -> int:
        """Most videos a plan."""
        return self.max_videos if self.generation else 1


NR = Replanning(generation=False, execution=False)
GR = Replanning(generation=True, execution=False)
GR_ER = Replanning(generation=True, execution=True)
SETTINGS: dict[str, Replanning] = {"NR": NR, "GR": GR, "GR&ER": GR_ER}
"""By the names of the paper's Table 5."""
