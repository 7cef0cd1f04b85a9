"""Does the arm still get anywhere? (IsStuck in Spatial Policy's Algorithm 1, which gives no rule for it)

Two rules: the end effector and the fingers have hardly moved over a window of steps, or several goal frames
in a row had to be forced because none was matched.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from kinesight.types.decision import Verdict
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation


@dataclass(frozen=True, slots=True)
class StuckConfig:
    """When an arm counts as stuck."""

    window_steps: int = 15
    """Steps over which motion is looked at."""
    least_motion_mm: float = 3.0
    """The end effector is still if it stayed within this distance of where the window began."""
    least_opening: float = 0.05
    """The fingers are still if their opening (0 … 1) changed by less than this."""
    most_forced: int = 3
    """Forced goal switches in a row that count as no progress; 0 ignores them."""

    def __post_init__(self) -> None:
        if (
            self.window_steps < 1
            or self.least_motion_mm < 0
            or self.least_opening < 0
            or self.most_forced < 0
        ):
            raise UsageError(f"stuck rules need window_steps >= 1 and no negative bound, got {self}")

    def build(self) -> "StuckMonitor":
        return StuckMonitor(self)


class StuckMonitor:
    """A `Monitor`; its verdict is `ok` while there is progress. Reset it at every new plan."""

    def __init__(self, config: StuckConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        self._seen: deque[tuple[int, np.ndarray]] = deque()

    def update(self, observation: Observation, forced_in_a_row: int = 0) -> Verdict:
        """Judge after every observation, of whatever steps; `forced_in_a_row` comes from a `FrameMatcher`."""
        if 0 < self.config.most_forced <= forced_in_a_row:
            return Verdict(False, f"stuck: {forced_in_a_row} goals in a row were not reached", 0.0)
        self._seen.append((observation.step, observation.proprio))
        while len(self._seen) > 1 and self._seen[1][0] <= observation.step - self.config.window_steps:
            self._seen.popleft()
        steps = observation.step - self._seen[0][0]
        if steps < self.config.window_steps:
            return Verdict(True, f"only {steps} steps seen")
        return self._judge(steps)

    def _judge(self, steps: int) -> Verdict:
        poses = np.stack([proprio for _, proprio in self._seen])
        moved_mm = 1000 * float(np.linalg.norm(poses[:, :3] - poses[0, :3], axis=1).max())
        opened = float(np.abs(poses[:, 7] - poses[0, 7]).max())
        terms = {"moved_mm": moved_mm, "opened": opened}
        what = f"moved {moved_mm:.1f} mm in {steps} steps"
        if moved_mm < self.config.least_motion_mm and opened < self.config.least_opening:
            return Verdict(False, f"stuck: {what}", 0.0, terms)
        return Verdict(True, what, 1.0, terms)
