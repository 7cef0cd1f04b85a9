"""What an evaluation writes: one record an episode."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kinesight.types.case import Case
from kinesight.types.decision import Event


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """`success` holds once it was reached; losing it later does not undo it."""

    case: Case
    success: bool
    steps: int
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many events of each kind there were."""
    timings_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage, and "wall" for the whole episode."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
