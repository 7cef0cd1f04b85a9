"""Two or more agents on the same cases: success, paired difference to the first, exact test.

Only what was measured alike is compared: another protocol or other cases are refused by name, unless the
caller asks for the cases that all results have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

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


HEADINGS = ("agent", "n", "success", "95 %", "difference", "95 %", "McNemar p", "p by layout", "won / lost")


def cells(row: Row) -> tuple[str, ...]:
    """One row as text, in the order of `HEADINGS`."""
    interval = row.success.wilson_95
    name = row.name + (f" [{', '.join(row.privileged)}]" if row.privileged else "")
    own = (name, str(row.success.episodes), percent(row.success.rate))
    wilson = f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
    if row.paired is None:
        return (*own, wilson, *("–",) * 5)
    between = row.paired.difference_95
    return (
        *own,
        wilson,
        points(row.paired.difference),
        f"{points(between.low)} to {points(between.high)}",
        p_text(row.paired.mcnemar_p),
        "–" if row.layout_p is None else p_text(row.layout_p),
        f"{row.paired.only_first} / {row.paired.only_second}",
    )


def percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def points(difference: float) -> str:
    """A difference of rates in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def p_text(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def to_table(comparison: Comparison) -> Table:
    """For the terminal."""
    table = Table(title=f"{len(comparison.cases)} paired cases, protocol {comparison.protocol}")
    for index, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if index else "left", no_wrap=bool(index))
    for row in comparison.rows:
        # Square brackets are markup to rich.
        table.add_row(*(cell.replace("[", r"\[") for cell in cells(row)))
    return table


def to_html(comparison: Comparison) -> str:
    """A `<table>` without styles of its own."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(row)) + "</tr>"
        for row in comparison.rows
    )
    return f'<table class="comparison"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
