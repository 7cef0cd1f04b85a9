"""Two or more agents on the same cases: success, paired difference to the first, exact test.

Only what was measured alike is compared: another protocol or other cases are refused by name, unless the
caller asks for the cases that all results have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from kinesight.evaluation.results import Results
from kinesight.evaluation.statistics import PairedCounts, Proportion, paired_counts, permutation_p, proportion
from kinesight.types.case import Case
from kinesight.types.errors import UsageError


@dataclass(frozen=True, slots=True)
class Row:
    """One agent; `paired` and `layout_p` compare it with the first row and are empty there."""

    name: str
    privileged: tuple[str, ...]
    success: Proportion
    paired: PairedCounts | None = None
    """This agent first, the first row's agent second: a positive difference is a gain over the first row."""
    layout_p: float | None = None
    """p when the cameras of one layout are swapped together; None where every layout has one case."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows over one list of cases."""

    protocol: str
    cases: tuple[Case, ...]
    rows: tuple[Row, ...]

    @property
    def layouts(self) -> int:
        return len({layout(case) for case in self.cases})


def compare(results: Sequence[Results], names: Sequence[str] = (), *, common: bool = False) -> Comparison:
    """Compare with the first of `results`; `common=True` keeps the cases that all of them have."""
    if len(results) < 2:
        raise UsageError(f"a comparison needs two results or more, got {len(results)}")
    labels = tuple(names) or _distinct([result.agent for result in results])
    if len(labels) != len(results):
        raise UsageError(f"{len(results)} results, but {len(labels)} names: {', '.join(labels)}")
    for label, other in zip(labels[1:], results[1:], strict=True):
        _check_alike(labels[0], results[0], label, other, common=common)
    shared = set.intersection(*(set(result.cases) for result in results))
    cases = tuple(case for case in results[0].cases if case in shared)
    if not cases:
        raise UsageError(f"no case is common to {', '.join(labels)}")
    outcomes = [_outcomes(result, cases) for result in results]
    rows = tuple(
        _row(label, result, own, outcomes[0] if index else None, cases)
        for index, (label, result, own) in enumerate(zip(labels, results, outcomes, strict=True))
    )
    return Comparison(results[0].protocol, cases, rows)


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
    if first is None:
        return Row(name, results.privileged, proportion(own))
    layouts = [layout(case) for case in cases]
    repeated = len(set(layouts)) < len(layouts)
    by_layout = permutation_p(own, first, layouts) if repeated else None
    return Row(name, results.privileged, proportion(own), paired_counts(own, first), by_layout)


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain values; `difference` and `difference_95` are fractions, this row minus the first."""
    return {
        "protocol": comparison.protocol,
        "cases": len(comparison.cases),
        "layouts": comparison.layouts,
        "difference_interval": "Tango score, 95 %",
        "rows": [_row_to_json(row) for row in comparison.rows],
    }


def _row_to_json(row: Row) -> dict[str, Any]:
    interval = row.success.wilson_95
    record: dict[str, Any] = {
        "agent": row.name,
        "privileged": list(row.privileged),
        "episodes": row.success.episodes,
        "success_rate": row.success.rate,
        "wilson_95": [interval.low, interval.high],
    }
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
    return record


def points(difference: float) -> str:
    """A difference of rates in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def p_text(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def to_table(comparison: Comparison) -> Table:
    """For a terminal of 80 columns: intervals in brackets, one p, by layout where cameras repeat it."""
    by_layout = any(row.layout_p is not None for row in comparison.rows)
    test = "cameras of a layout are swapped together" if by_layout else "McNemar's test"
    note = f"difference to {comparison.rows[0].name} in points; p: {test}"
    if privileged := sorted({name for row in comparison.rows for name in row.privileged}):
        note += f"; * privileged: {', '.join(privileged)}"
    table = Table(
        title=escape(f"{len(comparison.cases)} paired cases, {comparison.protocol}"),
        caption=escape(note),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("agent", no_wrap=True, min_width=15)
    for heading in ("success %", "difference", "p", "won/lost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in comparison.rows:
        table.add_row(*map(escape, _cells(row)))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    interval = row.success.wilson_95
    name = row.name + ("*" if row.privileged else "")
    own = f"{100 * row.success.rate:.1f} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"
    if row.paired is None:
        return name, own
    between = row.paired.difference_95
    low, high = (f"{100 * limit:+.0f}".replace("-", "−") for limit in (between.low, between.high))
    return (
        name,
        own,
        f"{points(row.paired.difference)} ({low} to {high})",
        p_text(row.paired.mcnemar_p if row.layout_p is None else row.layout_p),
        f"{row.paired.only_first}/{row.paired.only_second}",
    )
