"""What a stage of the loop has to tell beside its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Note:
    """Becomes an event of the episode; e.g. Note("fallback", "EndpointError: no connection to …").

    Values are the same when the episode is run again with the same replies: the seconds that a stage took
    are the agent's to measure.
    """

    kind: str
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)
    """Numbers behind the reason, such as tokens and cost."""
