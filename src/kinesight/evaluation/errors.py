"""Episodes that an error ended: they count as failures, an event of theirs says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinesight.data.parallel import WorkerDied
from kinesight.types.results import EpisodeResult

ERROR = "error"
"""Kind of the event."""
FOLDER = "errors"
"""Of the tracebacks, one file a case, in the evaluation's folder."""
LONGEST = 400
"""Characters of a reason."""
ERRORS_SHOWN = 20


def error_of(episode: EpisodeResult) -> str:
    """Name and message of the error that ended the episode; empty if it came to its end."""
    if ERROR not in episode.counts:
        return ""
    return next((event.reason for event in reversed(episode.events) if event.kind == ERROR), "")


def ended_by_error(episodes: Sequence[EpisodeResult]) -> tuple[EpisodeResult, ...]:
    return tuple(episode for episode in episodes if error_of(episode))


def died(episode: EpisodeResult) -> bool:
    """Whether it ended because its process did."""
    return error_of(episode).startswith(f"{WorkerDied.__name__}: ")


def in_one_line(error: Exception) -> str:
    """Name and message, as an event's reason."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def told(episode: EpisodeResult) -> str:
    """One episode's error, e.g. "door-open, seed 3, corner, after 12 steps: ValueError: …"."""
    case = episode.case
    return f"{case.task}, seed {case.seed}, {case.camera}, after {episode.steps} steps: {error_of(episode)}"


def account(episodes: Sequence[EpisodeResult]) -> str:
    """How many of the episodes ended by an error, and the first; empty if none did."""
    broken = ended_by_error(episodes)
    if not broken:
        return ""
    return (
        f"{len(broken)} of {len(episodes)} episodes ended by an error, which counts as failure; "
        f"the first: {told(broken[0])}"
    )


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """Episodes of one agent that ended by the same error."""

    agent: str
    episodes: int
    first: str


def error_rows(rows: Mapping[str, Sequence[EpisodeResult]]) -> tuple[ErrorRow, ...]:
    """By agent and error, in the order in which they came; the first `ERRORS_SHOWN` of them."""
    shown: list[ErrorRow] = []
    for name, episodes in rows.items():
        alike: dict[str, list[EpisodeResult]] = {}
        for episode in ended_by_error(episodes):
            alike.setdefault(error_of(episode), []).append(episode)
        shown += [ErrorRow(name, len(group), told(group[0])) for group in alike.values()]
    return tuple(shown[:ERRORS_SHOWN])
