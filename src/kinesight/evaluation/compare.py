"""Two or more agents on the same cases: success, paired difference to the first, exact test.

Only what was measured alike is compared: another protocol or other cases are refused by name, unless the
caller asks for the cases that all results have. Where the tasks are of several difficulty groups, every group
is compared on its own too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from kinesight.evaluation.results import Results
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
    """p when the cameras of one layout are swapped together; None where every layout has one case."""
    holm_p: float | None = None
    """p corrected for the number of rows that are compared with the first; None within a group."""

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
    shared = set.intersection(*(set(result.cases) for result in results))
    cases = tuple(case for case in results[0].cases if case in shared)
    if not cases:
        raise UsageError(f"no case is common to {', '.join(labels)}")
    return _corrected(_side_by_side(labels, results, cases))


def tabulate(rows: Mapping[str, Results]) -> Comparison:
    """The same for named rows of a table, of which there may be one only."""
    if len(rows) > 1:
        return compare(list(rows.values()), list(rows))
    ((name, only),) = rows.items()
    return _side_by_side([name], [only], only.cases)


def _side_by_side(labels: Sequence[str], results: Sequence[Results], cases: Sequence[Case]) -> Comparison:
    """Rows on cases that all of the results have, and on those of each difficulty group."""
    outcomes = [_outcomes(result, cases) for result in results]
    rows = tuple(
        _row(label, result, own, outcomes[0] if index else None, cases)
        for index, (label, result, own) in enumerate(zip(labels, results, outcomes, strict=True))
    )
    found = Comparison(results[0].protocol, tuple(cases), rows)
    groups = {
        group: _side_by_side(labels, results, [case for case in cases if case.task in members])
        for group, members in groups_of(found.tasks).items()
    }
    return replace(found, groups=groups)


def _corrected(comparison: Comparison) -> Comparison:
    first, *others = comparison.rows
    corrected = holm([row.p for row in others if row.p is not None])
    rows = (replace(row, holm_p=p) for row, p in zip(others, corrected, strict=True))
    return replace(comparison, rows=(first, *rows))


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
            "Compare the common cases only if that is what you mean."
        )


def _describe(name: str, cases: Sequence[Case]) -> str:
    if not cases:
        return f"none only in {name}"
    shown = ", ".join(f"{c.task} seed {c.seed} {c.camera} {c.start}" for c in cases[:3])
    return f"{len(cases)} only in {name} ({shown}{', …' if len(cases) > 3 else ''})"


def _outcomes(results: Results, cases: Sequence[Case]) -> list[bool]:
    by_case = {episode.case: episode.success for episode in results.episodes}
    return [by_case[case] for case in cases]


def _row(
    name: str, results: Results, own: Sequence[bool], first: Sequence[bool] | None, cases: Sequence[Case]
) -> Row:
    outcomes: dict[str, list[bool]] = {}
    for case, success in zip(cases, own, strict=True):
        outcomes.setdefault(case.task, []).append(success)
    per_task = {task: proportion(found) for task, found in outcomes.items()}
    row = Row(name, results.privileged, proportion(own), per_task)
    if first is None:
        return row
    layouts = [layout(case) for case in cases]
    repeated = len(set(layouts)) < len(layouts)
    by_layout = permutation_p(own, first, layouts) if repeated else None
    return replace(row, paired=paired_counts(own, first), layout_p=by_layout)


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain values; `difference` and `difference_95` are fractions, this row minus the first."""
    return {
        "protocol": comparison.protocol,
        "tasks": list(comparison.tasks),
        "cases": len(comparison.cases),
        "layouts": comparison.layouts,
        "difference_interval": "Tango score, 95 %",
        "rows": row_records(comparison),
    }


def row_records(comparison: Comparison) -> list[dict[str, Any]]:
    """Every row as plain values: over all cases, by task and by difficulty group."""
    records = []
    for index, row in enumerate(comparison.rows):
        groups = {name: _figures(group.rows[index]) for name, group in comparison.groups.items()}
        tasks = {name: _tally(success) for name, success in row.per_task.items()}
        about = {"agent": row.name, "privileged": list(row.privileged)}
        records.append(about | _figures(row) | {"per_task": tasks, "per_group": groups})
    return records


def _tally(success: Proportion) -> dict[str, Any]:
    interval = success.wilson_95
    return {
        "episodes": success.episodes,
        "successes": success.successes,
        "success_rate": success.rate,
        "wilson_95": [interval.low, interval.high],
    }


def _figures(row: Row) -> dict[str, Any]:
    record = _tally(row.success)
    if row.paired is not None:
        between = row.paired.difference_95
        record |= {
            "difference": row.paired.difference,
            "difference_95": [between.low, between.high],
            "mcnemar_p": row.paired.mcnemar_p,
            "layout_p": row.layout_p,
            "only_this": row.paired.only_first,
            "only_first": row.paired.only_second,
        }
    if row.holm_p is not None:
        record["holm_p"] = row.holm_p
    return record


def points(difference: float) -> str:
    """A difference of rates in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def p_text(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def to_table(comparison: Comparison, *, corrected: bool = False) -> Table:
    """For a terminal of 80 columns: intervals in brackets, one p, by layout where cameras repeat it.

    `corrected` shows Holm's p in the place of the discordant cases.
    """
    test = "cameras of a layout are swapped together" if comparison.by_layout else "McNemar's test"
    note = f"difference to {comparison.rows[0].name} in points; p: {test}"
    if privileged := sorted({name for row in comparison.rows for name in row.privileged}):
        note += f"; * privileged: {', '.join(privileged)}"
    tasks = len(comparison.tasks)
    about = f"{len(comparison.cases)} paired cases of {tasks} task{'s' if tasks > 1 else ''}"
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
