"""Several tables of results on one page: ablations of a method, each against its first row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import stdev
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from kinesight.evaluation import charts, page
from kinesight.evaluation.chain_comparison import chain_differences, chain_table
from kinesight.evaluation.compare import Row, points, rate_text, tabulate, to_table
from kinesight.evaluation.compare_record import to_json
from kinesight.evaluation.errors import account
from kinesight.evaluation.matrix import matrix_of
from kinesight.evaluation.results import Results, summarize_chains
from kinesight.types.errors import UsageError
from kinesight.types.files import write_atomic
from kinesight.types.serial import to_jsonable

PAGE, RECORD = "report.html", "tables.json"


@dataclass(frozen=True, slots=True)
class Minutes:
    """What a row has cost; stages that were taken from another row cost nothing."""

    training: float
    evaluation: float


@dataclass(frozen=True, slots=True)
class ResultTable:
    """One table; the rows that were measured are compared with the first of them."""

    name: str
    title: str
    note: str
    rows: Mapping[str, Results | None]
    """None marks a row that was not run, or failed."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Row -> why it has no results, or not those of every training seed."""
    minutes: Mapping[str, Minutes] = field(default_factory=dict)
    """Of the rows where it is known."""
    seeds: tuple[int, ...] = (0,)
    """Training seeds that every row is to have; with several, rows are `pooled` over those that they have."""

    @property
    def measured(self) -> dict[str, Results]:
        return {name: found for name, found in self.rows.items() if found is not None}

    @property
    def missing(self) -> tuple[str, ...]:
        """Rows that were not run."""
        return tuple(name for name, found in self.rows.items() if found is None and name not in self.failed)

    @property
    def errors(self) -> tuple[str, ...]:
        """What is to be said of every row with episodes that ended by an error."""
        told = {name: account(found.episodes) for name, found in self.measured.items()}
        return tuple(f"{name}: {text}" for name, text in told.items() if text)

    @property
    def commits(self) -> dict[str, str]:
        """Of every measured row: cells are known by their recipes, and code may have changed between two."""
        return {name: found.versions.get("commit", "unknown") for name, found in self.measured.items()}

    @property
    def by_training(self) -> dict[str, str]:
        """Of every measured row its rate after each training; empty where there is that of seed 0 alone."""
        if self.seeds == (0,) or not self.measured:
            return {}
        return {row.name: _rates(row, self.seeds) for row in tabulate(self.measured).rows}


def write_tables(out: Path, heading: str, lead: str, tables: Sequence[ResultTable]) -> Path:
    """`out/report.html`, `out/tables.json` and `out/TABLE.svg` for every table. Returns the page."""
    if not tables:
        raise UsageError("a page of tables needs one table at least")
    environment = Environment(
        loader=PackageLoader("kinesight.evaluation"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = page.percent
    shown = [_shown(table) for table in tables]
    text = environment.get_template("tables.html.j2").render(heading=heading, lead=lead, tables=shown)
    for table in tables:
        if table.measured:
            write_atomic(out / f"{table.name}.svg", standalone_chart(table))
    record = {table.name: record_of(table) for table in tables}
    write_atomic(out / RECORD, json.dumps(record, indent=1) + "\n")
    write_atomic(out / PAGE, text)
    return out / PAGE


def record_of(table: ResultTable) -> dict[str, Any]:
    """A table as plain values: its comparison, what its rows cost, and which have no results and why."""
    rows = table.measured
    record: dict[str, Any] = {
        "title": table.title,
        "note": table.note,
        "not_run": list(table.missing),
        "failed": dict(table.failed),
        "correction": "holm_p: Holm over the rows of the table",
    }
    if rows:
        record |= to_json(tabulate(rows))
        record["commits"] = table.commits
    if table.minutes:
        record["minutes"] = to_jsonable(table.minutes)
    if table.errors:
        record["errors"] = list(table.errors)
    if table.seeds != (0,):
        record["training_seeds"] = list(table.seeds)
        record["by_training"] = table.by_training
    chains = {name: summarize_chains(results.chains) for name, results in rows.items()}
    if any(chains.values()):
        record["chains"] = to_jsonable(chains)
        record["chain_differences"] = to_jsonable(chain_differences(rows))
    return record


def _rates(row: Row, seeds: Sequence[int]) -> str:
    """Per cent and points to the first row after the training of each seed, and how the rates scatter."""
    found = [row.per_training[seed].rate for seed in seeds if seed in row.per_training]
    rates = (f"{100 * row.per_training[s].rate:.1f}" if s in row.per_training else "–" for s in seeds)
    told = [" / ".join(rates)]
    if len(found) > 1:
        told.append(f"SD {100 * stdev(found):.1f}")
    if row.differences:
        apart = (points(row.differences[s]) if s in row.differences else "–" for s in seeds)
        told.append(f"difference {' / '.join(apart)}")
    if len(found) < len(seeds):
        told.append(f"{len(found)} of {len(seeds)} seeds")
    return ", ".join(told)


def _shown(table: ResultTable) -> dict[str, Any]:
    rows = table.measured
    compared = page.compared(rows) if rows else None
    return {
        "title": table.title,
        "note": table.note,
        "first": next(iter(rows), ""),
        "cases": len(compared.comparison.cases) if compared else 0,
        "comparison": compared,
        "matrix": matrix_of(compared.comparison) if compared else None,
        "chains": page.compared_chains(rows),
        "chart": success_chart(table) if rows else None,
        "failed": table.failed,
        "missing": table.missing,
        "minutes": table.minutes,
        "errors": table.errors,
        "seeds": table.seeds,
        "by_training": table.by_training,
        "measured_at": _measured_at(table.commits),
    }


def _measured_at(commits: Mapping[str, str]) -> str:
    """One commit, or which rows are of which; empty where nothing was measured."""
    rows: dict[str, list[str]] = {}
    for name, commit in commits.items():
        rows.setdefault(commit, []).append(name)
    if len(rows) == 1:
        return f"Measured at commit {next(iter(rows))}."
    told = "; ".join(f"commit {commit}: {' · '.join(names)}" for commit, names in rows.items())
    return f"Measured at {told}." if told else ""


def success_chart(table: ResultTable) -> Markup:
    """Success of every measured row with its 95 % interval, on one axis."""
    rows = table.measured
    found = [(name, results.success) for name, results in rows.items()]
    return charts.rate_chart(table.title, found)


def standalone_chart(table: ResultTable) -> str:
    """The chart as a file of its own, with its colours inside."""
    opening, rest = str(success_chart(table)).split(">", 1)
    style = (
        "<style>text{font:13px sans-serif;fill:#333}.rail,.tick{stroke:#bbb}"
        ".span{stroke:#2f6fb2;stroke-width:3}.dot{fill:#2f6fb2}</style>"
    )
    opening = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{opening}>{style}{rest}\n"


def to_tables(tables: Sequence[ResultTable]) -> list[Table]:
    """For a terminal; rows that failed or were not run are named under their table."""
    shown = []
    for table in tables:
        drawn = _drawn(table)
        for name in (name for name in table.failed if name not in table.measured):
            drawn.add_row(escape(name), "failed")
        for name in table.missing:
            drawn.add_row(escape(name), "not run")
        shown.append(drawn)
        chains = {name: results.chains for name, results in table.measured.items()}
        if any(chains.values()):
            shown.append(chain_table(chains, chain_differences(table.measured)))
    return shown


def _drawn(table: ResultTable) -> Table:
    rows = table.measured
    if len(rows) > 1:
        drawn = to_table(tabulate(rows), corrected=True)
        drawn.title = f"{escape(table.title)}: {drawn.title}"
    else:
        drawn = Table(title=escape(table.title), title_justify="left", box=SIMPLE_HEAD)
        drawn.caption_justify = "left"
        drawn.add_column("row")
        drawn.add_column("success %", justify="right")
        for name, results in rows.items():
            drawn.add_row(escape(name), rate_text(results.success))
    trainings = [escape(f"{name} by training: {rates}") for name, rates in table.by_training.items()]
    reasons = [escape(f"{name} failed: {reason}") for name, reason in table.failed.items()]
    known = [str(drawn.caption)] if drawn.caption else []
    drawn.caption = "\n".join([*known, *trainings, *reasons]) or None
    return drawn
