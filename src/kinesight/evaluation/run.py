"""From an agent and a list of cases to results that say where they come from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kinesight.evaluation.journal import Journal
from kinesight.evaluation.provenance import hardware, versions
from kinesight.evaluation.recording import Recording
from kinesight.evaluation.results import Results
from kinesight.evaluation.rollout import MakeAgent, MakeEnvironment, evaluate
from kinesight.types.case import Case
from kinesight.types.errors import UsageError
from kinesight.types.serial import to_json


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is evaluated. Two subjects with equal text are taken for the same agent when a run is resumed."""

    agent: str
    """Name in tables."""
    recipe: str = ""
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    """Stage -> hash of the weights."""
    privileged: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Whatever else decides what it does."""

    @property
    def hash(self) -> str:
        return hashlib.sha256(to_json(self).encode()).hexdigest()[:16]


def run_evaluation(
    out: Path,
    subject: Subject,
    make_agent: MakeAgent,
    make_environment: MakeEnvironment,
    cases: Sequence[Case],
    workers: int = 1,
    *,
    protocol: str = "",
    command: str = "",
    device: str = "cpu",
    recording: Recording | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> Results:
    """Run the cases, or those that an interrupted run left; `write_report` then writes results and page.

    The protocol is the cases' start if none is given; a subset of a protocol should be given its name.
    A folder that another process evaluates into is refused. `device` is only told in the results: whoever
    makes the agent puts its models there.
    """
    if not cases:
        raise UsageError("an evaluation needs one case at least")
    starts = sorted({case.start for case in cases})
    if not protocol and len(starts) > 1:
        raise UsageError(f"cases with the starts {' and '.join(starts)} need a protocol's name")
    journal = Journal(out, f"{subject.hash}-{limit or 'full'}")
    with journal.held():
        episodes = evaluate(
            make_agent,
            make_environment,
            cases,
            workers,
            journal=journal,
            recording=recording,
            limit=limit,
            progress=progress,
        )
    return Results(
        agent=subject.agent,
        protocol=protocol or starts[0],
        episodes=tuple(episodes),
        recipe=subject.recipe,
        checkpoints=subject.checkpoints,
        privileged=subject.privileged,
        versions=versions(),
        hardware=hardware(device),
        command=command,
    )
