"""A comparison as plain values, for files."""

from typing import Any

from kinesight.evaluation.compare import Comparison, Row
from kinesight.evaluation.statistics import Proportion


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain values; `difference` and `difference_95` are fractions, this row minus the first."""
    record = {
        "protocol": comparison.protocol,
        "tasks": list(comparison.tasks),
        "cases": len(comparison.cases),
        "layouts": comparison.layouts,
        "difference_interval": "Tango score, 95 %",
        "rows": row_records(comparison),
    }
    return record if comparison.trainings == 1 else record | {"trainings": comparison.trainings}


def row_records(comparison: Comparison) -> list[dict[str, Any]]:
    """Every row as plain values: over all cases, by task and by difficulty group."""
    records = []
    for index, row in enumerate(comparison.rows):
        groups = {name: _figures(group.rows[index]) for name, group in comparison.groups.items()}
        tasks = {name: _tally(success) for name, success in row.per_task.items()}
        about = {"agent": row.name, "privileged": list(row.privileged)}
        found = about | _figures(row) | {"per_task": tasks, "per_group": groups}
        records.append(found | {"per_training": _trainings(row)} if row.per_training else found)
    return records


def _trainings(row: Row) -> dict[str, Any]:
    """By training seed: the rate, and the difference to the first row where that was trained with it too."""
    return {
        str(seed): _tally(success)
        | ({"difference": row.differences[seed]} if seed in row.differences else {})
        for seed, success in row.per_training.items()
    }


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
