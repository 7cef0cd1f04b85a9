"""One self-contained `report.html` from what an evaluation left on disk.

`write_report` also keeps beside `results.json` what the page needs and the results do not hold: phase times
and training curves in `report.json`, the other agents' results under `rows/`. `rebuild_report` makes the page
again from that folder alone.
"""

import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kinesight.evaluation import charts, page
from kinesight.evaluation.charts import Curve
from kinesight.evaluation.compare import tabulate
from kinesight.evaluation.compare_record import row_records
from kinesight.evaluation.errors import error_rows
from kinesight.evaluation.foresight import foresight_table
from kinesight.evaluation.matrix import matrix_of
from kinesight.evaluation.results import Results, read_results, write_results
from kinesight.types.errors import DataError, UsageError
from kinesight.types.files import write_atomic
from kinesight.types.serial import from_json, to_json

PAGE, INPUTS, ROWS = "report.html", "report.json", "rows"
CURVE_POINTS = 240
PLOTTED = re.compile(r"(val(idation)?[_/])?loss(/.+)?")
"""Names of metrics that are drawn."""
MOST_CURVES = 4


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """`report.json`: what the page shows beside results and gallery."""

    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase, e.g. collect, train, evaluate."""
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    """Chart title -> lines, thinned to `CURVE_POINTS`."""
    rows: tuple[str, ...] = ()
    """Files under `rows/`, in the order of the table."""
    names: tuple[str, ...] = ()
    """How the table calls them."""


def write_report(
    out: Path,
    main: Results,
    rows: Mapping[str, Results] | Sequence[Results] = (),
    *,
    phases: Mapping[str, float] | None = None,
    curves: Mapping[str, Path] | None = None,
) -> Path:
    """Write `out/report.html` with its inputs beside it; the gallery is taken from `out/gallery`.

    `rows` are controls on the same cases (a mapping names them), `curves` chart titles with their
    `metrics.jsonl`. Returns the page.
    """
    named = dict(rows) if isinstance(rows, Mapping) else {row.agent: row for row in rows}
    if len(named) != len(rows):
        raise UsageError("several rows of the report have the same agent name; pass a mapping to name them")
    compared = row_records(tabulate({main.agent: main, **named})) if named else ()
    write_results(out, main, compared)
    shutil.rmtree(out / ROWS, ignore_errors=True)
    files = []
    for index, (name, row) in enumerate(named.items()):
        file = f"{index:02d}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
        write_results(out / ROWS / file, row)
        files.append(file)
    inputs = ReportInputs(
        phases=dict(phases or {}),
        curves={title: read_curves(file) for title, file in (curves or {}).items()},
        rows=tuple(files),
        names=tuple(named),
    )
    write_atomic(out / INPUTS, to_json(inputs))
    return rebuild_report(out)


def rebuild_report(out: Path) -> Path:
    """Make `report.html` from the folder's files; nothing is run. Returns the page."""
    main = read_results(out)
    file = out / INPUTS
    inputs = from_json(ReportInputs, file.read_text(), str(file)) if file.is_file() else ReportInputs()
    rows = {name: read_results(out / ROWS / row) for name, row in zip(inputs.names, inputs.rows, strict=True)}
    path = out / PAGE
    write_atomic(path, render(out, main, rows, inputs))
    return path


def render(out: Path, main: Results, rows: Mapping[str, Results], inputs: ReportInputs) -> str:
    """The page as text; pictures and videos come from the folder."""
    environment = Environment(
        loader=PackageLoader("kinesight.evaluation"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "percent": page.percent, "number": page.number, "event_class": charts.event_class,
    }  # fmt: skip
    comparison = page.comparison(main, rows)
    return environment.get_template("report.html.j2").render(
        main=main,
        headline=page.headline(main),
        errors=error_rows({name: found.episodes for name, found in {main.agent: main, **rows}.items()}),
        phases=page.phases(inputs.phases),
        comparison=comparison,
        tasks=page.task_rows(main),
        chains=page.chain_rows(main, rows),
        foresight=foresight_table(main.episodes),
        matrix=matrix_of(comparison.comparison) if comparison and len(main.tasks) > 1 else None,
        gallery=page.gallery(out, main),
        curves=[(title, *_chart(title, lines)) for title, lines in inputs.curves.items() if lines],
    )


def _chart(title: str, lines: Sequence[Curve]) -> tuple[Markup, Sequence[Curve]]:
    return charts.curve_chart(title, lines), lines


def read_curves(file: Path) -> tuple[Curve, ...]:
    """Losses of a `metrics.jsonl` over steps, averaged in bins; lines without a loss are skipped."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: training metrics cannot be read: {error}") from error
    records = [_metrics(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    curves = []
    names = [name for name in dict.fromkeys(key for r in records for key in r) if PLOTTED.fullmatch(name)]
    for name in names[:MOST_CURVES]:
        points = [(record["step"], record[name]) for record in records if _finite(record.get(name))]
        if points:
            steps, values = (_thin(np.array(column, float)) for column in zip(*points, strict=True))
            curves.append(Curve(name, steps, values))
    return tuple(curves)


def _metrics(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {number}: not JSON: {error}") from error
    if not isinstance(record, dict) or not _finite(record.get("step")):
        raise DataError(f'{file}, line {number}: expected an object with a number "step", got {line[:80]}')
    return record


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _thin(values: np.ndarray) -> tuple[float, ...]:
    bins = np.array_split(values, min(CURVE_POINTS, len(values)))
    return tuple(float(f"{part.mean():.6g}") for part in bins)
