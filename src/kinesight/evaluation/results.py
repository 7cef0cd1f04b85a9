"""What an evaluation leaves: `results.json`, one record an episode and the numbers that follow from them.

The summary is computed, never given: a file whose summary does not follow from its episodes is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from kinesight.evaluation.chains import Chains, chains_of
from kinesight.evaluation.errors import ended_by_error
from kinesight.evaluation.foresight import Mean, foresight_of
from kinesight.evaluation.statistics import Proportion, groups_of, proportion
from kinesight.types.case import Case
from kinesight.types.decision import Event
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.results import EpisodeResult
from kinesight.types.serial import from_jsonable, parse_json, to_json

SCHEMA = 1
FILE_NAME = "results.json"


Trial: TypeAlias = tuple[int, Case]
"""What an outcome belongs to: the training seed of the agent and the case."""


@dataclass(frozen=True, slots=True)
class Results:
    """One agent on one list of cases."""

    agent: str
    protocol: str
    """The start, "standard" or "shifted", and the subset's name if it is one."""
    episodes: tuple[EpisodeResult, ...]
    recipe: str = ""
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    """Stage -> hash of the weights."""
    privileged: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the software, with "commit" and "date"; see `kinesight.evaluation.provenance`."""
    hardware: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    trainings: tuple[int, ...] = ()
    """Training seed behind each episode, where several are pooled (see `pooled`); empty for one training."""

    def __post_init__(self) -> None:
        if not self.episodes:
            raise DataError(f"results of {self.agent!r} hold no episode")
        seen: set[Trial] = set()
        for trial in self.trials:
            if trial in seen:
                raise DataError(f"results of {self.agent!r} hold one case twice: {trial[1]}")
            seen.add(trial)

    @property
    def trials(self) -> tuple[Trial, ...]:
        return tuple(zip(self.trainings or (0,) * len(self.episodes), self.cases, strict=True))

    @property
    def cases(self) -> tuple[Case, ...]:
        return tuple(episode.case for episode in self.episodes)

    @property
    def tasks(self) -> tuple[str, ...]:
        """In the order of the episodes."""
        return tuple(dict.fromkeys(case.task for case in self.cases))

    @property
    def success(self) -> Proportion:
        return proportion(episode.success for episode in self.episodes)

    @property
    def chains(self) -> Chains | None:
        """Where the cases hold several tasks each."""
        return chains_of(self.episodes)

    def of_task(self, task: str) -> tuple[EpisodeResult, ...]:
        return tuple(episode for episode in self.episodes if episode.case.task == task)

    def of_tasks(self, tasks: Sequence[str]) -> Proportion:
        """Success over several tasks together."""
        return proportion(episode.success for episode in self.episodes if episode.case.task in tasks)


def pooled(found: Mapping[int, Results]) -> Results:
    """Trainings that differ in their seed alone, as one: the same cases after every one of them."""
    if not found:
        raise ValueError("no training to pool")
    first = next(iter(found.values()))
    told = [results.versions for results in found.values()]
    commits = dict.fromkeys(versions["commit"] for versions in told if "commit" in versions)
    return replace(
        first,
        versions={**first.versions, "commit": ", ".join(commits)} if commits else first.versions,
        episodes=tuple(episode for results in found.values() for episode in results.episodes),
        trainings=tuple(seed for seed, results in found.items() for _ in results.episodes),
    )


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An `Event` in a file; its video is for those who draw and is left out."""

    step: int
    kind: str
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """An `EpisodeResult` in a file."""

    case: Case
    success: bool
    steps: int
    counts: Mapping[str, int]
    timings_s: Mapping[str, float]
    metrics: Mapping[str, float]
    events: tuple[EventRecord, ...]


@dataclass(frozen=True, slots=True)
class ChainSummary:
    chains: int
    in_a_row: tuple[float, ...]
    """Share of the chains whose first, first two, … tasks were done."""
    wilson_95: tuple[tuple[float, float], ...]
    average: float
    """Tasks done in a row."""
    bootstrap_95: tuple[float, float]
    void: int
    """Chains that ended because a task was solved as it began."""


@dataclass(frozen=True, slots=True)
class TaskSummary:
    episodes: int
    success_rate: float
    wilson_95: tuple[float, float]
    steps: float | None
    """Mean over the successes."""
    chains: ChainSummary | None = None


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """Of the tasks of one difficulty."""

    episodes: int
    successes: int
    success_rate: float
    wilson_95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Summary:
    episodes: int
    success_rate: float
    wilson_95: tuple[float, float]
    per_task: Mapping[str, TaskSummary]
    chains: ChainSummary | None = None
    per_group: Mapping[str, GroupSummary] | None = None
    """By difficulty, empty where the tasks are of one; None in files of before it was counted."""
    errors: int = 0
    """Episodes that ended by an error; they are among the failures."""
    foresight: Mapping[str, Mean] | None = None
    """Value of `foresight` events -> its mean; None in files of before it was counted."""


@dataclass(frozen=True, slots=True)
class Document:
    """`results.json`, field by field."""

    schema: int
    agent: str
    recipe: str
    checkpoints: Mapping[str, str]
    privileged: tuple[str, ...]
    protocol: str
    versions: Mapping[str, str]
    hardware: Mapping[str, str]
    command: str
    episodes: tuple[EpisodeRecord, ...]
    summary: Summary
    rows: tuple[Mapping[str, Any], ...] = ()
    """The agent and its control rows, paired (`compare_record`), as they were when the page was written;
    what the controls did case by case is in their own files."""


def summarize(results: Results) -> Summary:
    """Count, rate and interval over all episodes, by task and by difficulty group."""
    total = results.success
    per_task = {task: _summarize_task(results.of_task(task)) for task in results.tasks}
    per_group = {group: _summarize_group(results, tasks) for group, tasks in groups_of(results.tasks).items()}
    return Summary(
        episodes=total.episodes,
        success_rate=total.rate,
        wilson_95=_limits(total),
        per_task=per_task,
        chains=summarize_chains(results.chains),
        per_group=per_group,
        errors=len(ended_by_error(results.episodes)),
        foresight=foresight_of(results.episodes),
    )


def _summarize_group(results: Results, tasks: Sequence[str]) -> GroupSummary:
    success = results.of_tasks(tasks)
    return GroupSummary(success.episodes, success.successes, success.rate, _limits(success))


def _summarize_task(episodes: Sequence[EpisodeResult]) -> TaskSummary:
    success = proportion(episode.success for episode in episodes)
    steps = [episode.steps for episode in episodes if episode.success]
    mean_steps = sum(steps) / len(steps) if steps else None
    chains = summarize_chains(chains_of(episodes))
    return TaskSummary(success.episodes, success.rate, _limits(success), mean_steps, chains)


def summarize_chains(chains: Chains | None) -> ChainSummary | None:
    """As `results.json` has it."""
    if chains is None:
        return None
    return ChainSummary(
        chains=chains.count,
        in_a_row=tuple(share.rate for share in chains.in_a_row),
        wilson_95=tuple(_limits(share) for share in chains.in_a_row),
        average=chains.average,
        bootstrap_95=(chains.average_95.low, chains.average_95.high),
        void=chains.void,
    )


def _limits(value: Proportion) -> tuple[float, float]:
    return value.wilson_95.low, value.wilson_95.high


def to_record(episode: EpisodeResult) -> EpisodeRecord:
    return EpisodeRecord(
        case=episode.case,
        success=episode.success,
        steps=episode.steps,
        counts=episode.counts,
        timings_s=episode.timings_s,
        metrics=episode.metrics,
        events=tuple(
            EventRecord(event.step, event.kind, event.reason, event.values) for event in episode.events
        ),
    )


def from_record(record: EpisodeRecord) -> EpisodeResult:
    """Inverse of `to_record`, but for the videos of its events."""
    return EpisodeResult(
        case=record.case,
        success=record.success,
        steps=record.steps,
        counts=record.counts,
        timings_s=record.timings_s,
        metrics=record.metrics,
        events=tuple(
            Event(event.step, event.kind, event.reason, values=event.values) for event in record.events
        ),
    )


def write_results(path: Path, results: Results, rows: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write `results.json` (the file itself, or into a folder) at once or not at all; returns the file.

    `rows` is the comparison with other agents on the same cases, which the reader passes over.
    """
    assert not results.trainings, "every training has a file of its own"
    file = _file(path)
    document = Document(
        schema=SCHEMA,
        agent=results.agent,
        recipe=results.recipe,
        checkpoints=results.checkpoints,
        privileged=results.privileged,
        protocol=results.protocol,
        versions=results.versions,
        hardware=results.hardware,
        command=results.command,
        episodes=tuple(to_record(episode) for episode in results.episodes),
        summary=summarize(results),
        rows=tuple(rows),
    )
    write_atomic(file, to_json(document))
    return file


def read_results(path: Path) -> Results:
    """Read a `results.json` or the folder that holds one; what is not exactly one is a `DataError`."""
    file = _file(path)
    document = _load(file)
    try:
        results = Results(
            agent=document.agent,
            protocol=document.protocol,
            episodes=tuple(from_record(record) for record in document.episodes),
            recipe=document.recipe,
            checkpoints=document.checkpoints,
            privileged=document.privileged,
            versions=document.versions,
            hardware=document.hardware,
            command=document.command,
        )
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    _check_summary(file, document.summary, summarize(results))
    return results


def _file(path: Path) -> Path:
    return path if path.suffix == ".json" else path / FILE_NAME


def _load(file: Path) -> Document:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        below = ", ".join(str(found.parent) for found in sorted(file.parent.glob(f"eval/*/{FILE_NAME}")))
        there = f"there are results in {below}" if below else "`kinesight evaluate` writes it"
        raise DataError(f"{file}: cannot be read ({reason}); {there}") from error
    data = parse_json(text, str(file))
    if not isinstance(data, dict) or "schema" not in data:
        raise DataError(f"{file}: not the results of an evaluation, 'schema' is missing")
    if data["schema"] != SCHEMA:
        raise DataError(f"{file}: schema {data['schema']!r}, this version reads schema {SCHEMA}")
    return from_jsonable(Document, data, str(file))


def _check_summary(file: Path, stored: Summary, computed: Summary) -> None:
    """Name the first number that does not follow from the episodes."""
    if stored.per_group is None:
        computed = replace(computed, per_group=None)
    if stored.foresight is None:
        computed = replace(computed, foresight=None)
    found, expected = dict(_flatten("summary", asdict(stored))), dict(_flatten("summary", asdict(computed)))
    for name in sorted(found.keys() | expected.keys()):
        a, b = found.get(name), expected.get(name)
        if a != b and (a is None or b is None or abs(a - b) > 1e-6):
            raise DataError(f"{file}: {name} is {a}, but the episodes give {b}")


def _flatten(name: str, value: object) -> list[tuple[str, int | float | None]]:
    if isinstance(value, Mapping):
        return [leaf for key, item in value.items() for leaf in _flatten(f"{name}.{key}", item)]
    if isinstance(value, tuple | list):
        return [leaf for index, item in enumerate(value) for leaf in _flatten(f"{name}[{index}]", item)]
    assert value is None or isinstance(value, int | float), "a summary holds numbers only"
    return [(name, value)]
