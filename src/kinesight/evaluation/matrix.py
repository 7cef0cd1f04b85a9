"""Success by task and agent, with lines for the difficulty groups where the tasks are of several."""

from dataclasses import dataclass

from kinesight.evaluation.compare import Comparison, Row, p_text


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A task, or a group of tasks, and what every agent made of it."""

    name: str
    group: bool
    rates: tuple[float, ...]
    notes: tuple[str, ...]
    """Of a group: interval, and p of the difference to the first agent; of a task: nothing."""


@dataclass(frozen=True, slots=True)
class TaskMatrix:
    agents: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


def matrix_of(comparison: Comparison) -> TaskMatrix:
    """Every task once; those of a group stand under its line."""
    body: list[MatrixRow] = []
    for group, part in (comparison.groups or {"": comparison}).items():
        if group:
            rates = tuple(row.success.rate for row in part.rows)
            body.append(MatrixRow(group, True, rates, tuple(map(_group_note, part.rows))))
        for task in part.tasks:
            rates = tuple(row.per_task[task].rate for row in part.rows)
            body.append(MatrixRow(task, False, rates, ("",) * len(rates)))
    return TaskMatrix(tuple(row.name for row in comparison.rows), tuple(body))


def _group_note(row: Row) -> str:
    interval = row.success.wilson_95
    limits = f"{100 * interval.low:.0f}–{100 * interval.high:.0f}"
    return limits if row.p is None else f"{limits}, p {p_text(row.p)}"
