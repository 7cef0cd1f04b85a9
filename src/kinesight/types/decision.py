"""What an agent decides, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from kinesight.types.arrays import Video
from kinesight.types.note import Note
from kinesight.types.video import ImaginedVideo


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows of pictures that belong together, such as what happened above what was foreseen."""

    steps: tuple[int, ...]
    """Step of every column."""
    rows: Mapping[str, Video]
    """By caption, from the first column on; a row may be shorter than others."""

    def __post_init__(self) -> None:
        if not self.rows or max(map(len, self.rows.values())) > len(self.steps):
            raise ValueError(
                f"a comparison of {len(self.steps)} columns has rows of "
                f"{[len(row) for row in self.rows.values()]} pictures"
            )


@dataclass(frozen=True, slots=True)
class Event:
    """A decision with its reason, e.g. Event(64, "replan", "stuck: moved 0.4 mm in 15 steps")."""

    step: int
    kind: str
    reason: str
    video: ImaginedVideo | None = None
    """For subscribers that draw; not written to results."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Numbers behind the reason, e.g. a judge's score and terms."""
    comparison: Comparison | None = None
    """For subscribers that draw; not written to results."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The next action [-1, 1] and what led to it."""

    action: Float[np.ndarray, "a"]
    events: tuple[Event, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage ("plan", "imagine", "act", …) spent on this decision."""
    label: Float[np.ndarray, "a"] | None = None
    """What an imitator should do here, where it differs from what is executed (noisy demonstrations)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A critic's or monitor's judgement with its named terms."""

    ok: bool
    reason: str
    score: float | None = 1.0
    """None where nothing could be measured: then nothing speaks against it, and nothing for it."""
    terms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    """How the judgement was come to."""
