"""Two or more agents on the same cases: success, paired difference to the first, exact test.

Only what was measured alike is compared: another protocol or other cases are refused by name, unless the
caller asks for the cases that all results have. Where the tasks are of several difficulty groups, every group
is compared on its own too. Where trainings of several seeds are pooled, a case after one of them is paired
with the same case after the training of the same seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from kinesight.evaluation.results import Results, Trial
from kinesight.evaluation.statistics import (
    PairedCounts,
    Proportion,
    groups_of,
    holm,
    paired_counts,
    permutation_p,
    proportion,
)
from kinesight.types.case import Case
from kinesight.types.errors import UsageError

Part = TypeVar("Part", str, int)


@dataclass(frozen=True, slots=True)
class Row:
    """One agent; `paired` and `layout_p` compare it with the first row and are empty there."""

    name: str
    privileged: tuple[str, ...]
    success: Proportion
    per_task: Mapping[str, Proportion]
    paired: PairedCounts | None = None
    """This agent first, the first row's agent second: a positive difference is a gain over the first row."""
    layout_p: float | None = None
    """p when all that was run on one layout, by camera and training, is swapped together; None where that is
    one episode."""
    holm_p: float | None = None
    """p corrected for the number of rows that are compared with the first; None within a group."""
    per_training: Mapping[int, Proportion] = field(default_factory=dict)
    """By training seed, where several are pooled."""
    differences: Mapping[int, float] = field(default_factory=dict)
    """Difference to the first row by training seed, of those that both rows have."""

    @property
    def p(self) -> float | None:
        """By layout where cameras repeat it, else McNemar's."""
        if self.paired is None:
            return None
        return self.paired.mcnemar_p if self.layout_p is None else self.layout_p


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows over one list of cases."""

    protocol: str
    cases: tuple[Case, ...]
    rows: tuple[Row, ...]
    groups: Mapping[str, "Comparison"] = field(default_factory=dict)
    """Difficulty group -> the same rows on its cases; empty where the tasks are of one group."""
    trainings: int = 1
    """Seeds that agents were trained with."""

    @property
    def layouts(self) -> int:
        return len({layout(case) for case in self.cases})

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(case.task for case in self.cases))

    @property
    def by_layout(self) -> bool:
        """Whether the rows have a p by layout."""
        return any(row.layout_p is not None for row in self.rows)


def compare(
    results: Sequence[Results],
    names: Sequence[str] = (),
    *,
    common: bool = False,
    tasks: Sequence[str] = (),
) -> Comparison:
    """Compare with the first of `results`; `common=True` keeps the cases that all of them have.

    `tasks` keeps the cases of these tasks; each must have been measured, or some of them if `common`.
    """
    if len(results) < 2:
        raise UsageError(f"a comparison needs two results or more, got {len(results)}")
    labels = tuple(names) or _distinct([result.agent for result in results])
    if len(labels) != len(results):
        raise UsageError(f"{len(results)} results, but {len(labels)} names: {', '.join(labels)}")
    if tasks:
        pairs = zip(labels, results, strict=True)
        results = [_restricted(label, result, tasks, common=common) for label, result in pairs]
    for label, other in zip(labels[1:], results[1:], strict=True):
        _check_alike(labels[0], results[0], label, other, common=common)
    shared = set.intersection(*(set(result.trials) for result in results))
    trials = tuple(trial for trial in results[0].trials if trial in shared)
    if not trials:
        raise UsageError(f"no case is common to {', '.join(labels)}")
    return _corrected(_side_by_side(labels, results, trials))


def tabulate(rows: Mapping[str, Results]) -> Comparison:
    """The same for named rows of a table, of which there may be one only.

    Rows may lack trainings that others have: each is compared with the first over those that both have.
    """
    (first, main), *others = rows.items()
    for name, results in others:
        _check_alike(first, main, name, results, common=False)
    trials = dict.fromkeys(trial for results in rows.values() for trial in results.trials)
    return _corrected(_side_by_side(list(rows), list(rows.values()), list(trials)))


def _side_by_side(labels: Sequence[str], results: Sequence[Results], trials: Sequence[Trial]) -> Comparison:
    """Rows on those of the trials that they have, and on those of each difficulty group."""
    outcomes = [_outcomes(result, trials) for result in results]
    repeated = len({layout(case) for _, case in trials}) < len(trials)
    rows = tuple(
        _row(label, result, own, outcomes[0] if index else {}, repeated=repeated)
        for index, (label, result, own) in enumerate(zip(labels, results, outcomes, strict=True))
    )
    cases = tuple(dict.fromkeys(case for _, case in trials))
    trainings = len({training for training, _ in trials})
    found = Comparison(results[0].protocol, cases, rows, trainings=trainings)
    groups = {
        group: _side_by_side(labels, results, [trial for trial in trials if trial[1].task in members])
        for group, members in groups_of(found.tasks).items()
    }
    return replace(found, groups=groups)


def _corrected(comparison: Comparison) -> Comparison:
    corrected = iter(holm([row.p for row in comparison.rows if row.p is not None]))
    rows = tuple(row if row.p is None else replace(row, holm_p=next(corrected)) for row in comparison.rows)
    return replace(comparison, rows=rows)


def _restricted(name: str, results: Results, tasks: Sequence[str], *, common: bool) -> Results:
    measured = [task for task in tasks if task in results.tasks]
    lacking = [task for task in tasks if task not in results.tasks]
    if not measured or (lacking and not common):
        raise UsageError(
            f"{name} was not measured on {', '.join(lacking)}; it was on {', '.join(results.tasks)}"
        )
    kept = tuple(episode for episode in results.episodes if episode.case.task in measured)
    return replace(results, episodes=kept)


def layout(case: Case) -> tuple[object, ...]:
    """What the cases of one scene share: everything but the camera."""
    return case.env, case.task, case.seed, case.start, case.split, case.variation


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Number names that occur more than once."""
    return tuple(
        name if names.count(name) == 1 else f"{name} ({names[: index + 1].count(name)})"
        for index, name in enumerate(names)
    )


def _check_alike(first: str, a: Results, second: str, b: Results, *, common: bool) -> None:
    if a.protocol != b.protocol:
        raise UsageError(f"protocols differ: {first} was run on {a.protocol!r}, {second} on {b.protocol!r}")
    only_a = [case for case in a.cases if case not in set(b.cases)]
    only_b = [case for case in b.cases if case not in set(a.cases)]
    if (only_a or only_b) and not common:
        raise UsageError(
            f"cases differ: {_describe(first, only_a)}; {_describe(second, only_b)}. "
            "Compare the common cases only (--common) if that is what you mean."
        )


def _describe(name: str, cases: Sequence[Case]) -> str:
    if not cases:
        return f"none only in {name}"
    shown = ", ".join(f"{c.task} seed {c.seed} {c.camera} {c.start}" for c in cases[:3])
    return f"{len(cases)} only in {name} ({shown}{', …' if len(cases) > 3 else ''})"


def _outcomes(results: Results, trials: Sequence[Trial]) -> dict[Trial, bool]:
    """Success in those of the trials that the results have, in the order of the trials."""
    found = dict(zip(results.trials, (episode.success for episode in results.episodes), strict=True))
    return {trial: found[trial] for trial in trials if trial in found}


def _row(
    name: str, results: Results, own: Mapping[Trial, bool], first: Mapping[Trial, bool], *, repeated: bool
) -> Row:
    """Compared with the first row on the trials that both have; `repeated` says that layouts are."""
    per_task = _rates(own, lambda trial: trial[1].task)
    per_training = _rates(own, lambda trial: trial[0]) if results.trainings else {}
    row = Row(name, results.privileged, proportion(own.values()), per_task, per_training=per_training)
    shared = [trial for trial in own if trial in first]
    if not shared:
        return row
    mine, theirs = [own[trial] for trial in shared], [first[trial] for trial in shared]
    layouts = [layout(case) for _, case in shared]
    its = _rates({trial: first[trial] for trial in shared}, lambda trial: trial[0])
    return replace(
        row,
        paired=paired_counts(mine, theirs),
        layout_p=permutation_p(mine, theirs, layouts) if repeated else None,
        differences={seed: per_training[seed].rate - its[seed].rate for seed in its if seed in per_training},
    )


def _rates(outcomes: Mapping[Trial, bool], part: Callable[[Trial], Part]) -> dict[Part, Proportion]:
    """Success by a part of the trials."""
    found: dict[Part, list[bool]] = {}
    for trial, success in outcomes.items():
        found.setdefault(part(trial), []).append(success)
    return {key: proportion(successes) for key, successes in found.items()}


def points(difference: float) -> str:
    """A difference of rates in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def p_text(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def to_table(comparison: Comparison, *, corrected: bool = False) -> Table:
    """For a terminal of 80 columns: intervals in brackets, one p, by layout where cameras repeat it.

    `corrected` shows Holm's p in the place of the discordant cases.
    """
    together = "cameras" if comparison.trainings == 1 else "cameras and trainings"
    test = f"{together} of a layout are swapped together" if comparison.by_layout else "McNemar's test"
    note = f"difference to {comparison.rows[0].name} in points; p: {test}"
    if privileged := sorted({name for row in comparison.rows for name in row.privileged}):
        note += f"; * privileged: {', '.join(privileged)}"
    tasks = len(comparison.tasks)
    about = f"{len(comparison.cases)} paired cases of {tasks} task{'s' if tasks > 1 else ''}"
    about += f" after {comparison.trainings} trainings" if comparison.trainings > 1 else ""
    table = Table(
        title=escape(f"{about}, {comparison.protocol}"),
        caption=escape(note),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("agent", no_wrap=True, min_width=15)
    for heading in ("success %", "difference", "p", "Holm's p" if corrected else "won/lost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in comparison.rows:
        *cells, discordant = _cells(row)
        last = "" if row.holm_p is None else p_text(row.holm_p)
        table.add_row(*map(escape, (*cells, last if corrected else discordant)))
    return table


def to_group_table(comparison: Comparison) -> Table:
    """For a terminal of 80 columns: every row by difficulty group."""
    table = Table(
        title="success % by difficulty", title_justify="left", box=SIMPLE_HEAD, collapse_padding=True
    )
    table.add_column("agent", no_wrap=True, min_width=15)
    for name in comparison.groups:
        table.add_column(name, justify="right", no_wrap=True)
    for index, row in enumerate(comparison.rows):
        found = [rate_text(group.rows[index].success, 0) for group in comparison.groups.values()]
        table.add_row(escape(_name(row)), *found)
    return table


def rate_text(success: Proportion, digits: int = 1) -> str:
    """Per cent with their interval."""
    interval = success.wilson_95
    return f"{100 * success.rate:.{digits}f} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"


def _name(row: Row) -> str:
    return row.name + ("*" if row.privileged else "")


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    if row.paired is None or row.p is None:
        return _name(row), rate_text(row.success), "", "", ""
    between = row.paired.difference_95
    low, high = (f"{100 * limit:+.0f}".replace("-", "−") for limit in (between.low, between.high))
    return (
        _name(row),
        rate_text(row.success),
        f"{points(row.paired.difference)} ({low} to {high})",
        p_text(row.p),
        f"{row.paired.only_first}/{row.paired.only_second}",
    )
