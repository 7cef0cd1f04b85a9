"""Scores of a model's replies to questions about places: a table and a JSON file.

`score` reads every reply strictly, measures what could be read, and sets beside each mean the best that a
constant reaches: the one true answer among the questions that would score best if it were given every time
(for a choice, the majority). It is picked on the questions themselves, so it favours the baseline.

A reply that is missing or cannot be read counts as 0 where more is better. Errors have no worst value: they
are averaged over the replies that were read, so a row says how many those were, and an error says nothing
without that. Intervals are Wilson's for shares where each question gives 0 or 1, a bootstrap over questions
elsewhere.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinesight.evaluation.bootstrap import bootstrap_interval
from kinesight.evaluation.spatial_questions import Metric, Question, Task, task_of
from kinesight.evaluation.statistics import Interval, wilson_interval
from kinesight.language.dialects.catalogue import dialect as named_dialect
from kinesight.language.dialects.codec import Dialect, DialectError, without_uncarried
from kinesight.types.errors import DataError, KinesightError
from kinesight.types.files import write_atomic
from kinesight.types.serial import from_json, to_json
from kinesight.types.spatial import ImagePath

SCHEMA = 1
NAN = float("nan")
CONSTANTS = 32
"""How many true answers are tried as the constant, spread evenly where there are more."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One metric over one group of questions. NaN where no reply could be read."""

    group: str
    metric: str
    unit: str
    higher_is_better: bool
    value: float
    low: float
    high: float
    """Limits of the 95 % interval; NaN for a single value that is no share."""
    interval: str
    """wilson or bootstrap"""
    baseline: float
    """The best constant answer's value; of an error, on the questions whose reply was read."""
    questions: int
    """To which the metric applies."""
    read: int
    """How many of them had a reply that could be read."""

    @property
    def beats_baseline(self) -> bool:
        """Whether the interval lies wholly on the better side of the best constant.

        Never for an error with replies that were not read: those that were may be the easy ones.
        """
        if self.higher_is_better:
            return self.low > self.baseline
        return self.high < self.baseline and self.read == self.questions


@dataclass(frozen=True, slots=True)
class Failure:
    """A reply that was not read."""

    question: str
    reason: str


@dataclass(frozen=True, slots=True)
class SpatialScore:
    schema: int
    dialect: str
    rows: tuple[ScoreRow, ...]
    failures: tuple[Failure, ...]
    looks_like: Mapping[str, int]
    """Other dialects -> how many of the failed replies they would have read."""


def score(answers: Mapping[str, str], questions: Sequence[Question], dialect: str | Dialect) -> SpatialScore:
    """Replies by the name of their question, in one dialect, against the questions' truths."""
    spoken = named_dialect(dialect) if isinstance(dialect, str) else dialect
    _check_names(answers, questions)
    measured: dict[str, dict[str, float]] = {}
    failures: list[Failure] = []
    looks_like: Counter[str] = Counter()
    for question in questions:
        task = task_of(question)
        try:
            if question.name not in answers:
                raise DataError("no reply")
            value = task.read(answers[question.name], question.truth, question.size, spoken)
        except KinesightError as error:
            failures.append(Failure(question.name, str(error)))
            if isinstance(error, DialectError):
                looks_like.update({name for name, _ in error.looks_like} - {spoken.name})
        else:
            measured[question.name] = task.measure(value, question.truth, question.size)
    rows = [row for group in _groups(questions) for row in _rows(group, measured, spoken)]
    return SpatialScore(SCHEMA, spoken.name, tuple(rows), tuple(failures), dict(looks_like.most_common()))


def format_score(result: SpatialScore) -> str:
    """The rows as a text table, and what went wrong below it."""
    header = ("group", "metric", "value", "95 % interval", "best constant", "read", "unit")
    lines = [header, *(_cells(row) for row in result.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    notes = ["", "* better than the best constant: the interval lies beyond it"]
    if result.failures:
        notes.append(f"{len(result.failures)} replies were not read as {result.dialect}, the first:")
        notes.append(f"  {result.failures[0].question}: {result.failures[0].reason}")
    notes += [f"  {count} of them read as {name}" for name, count in result.looks_like.items()]
    return "\n".join(line.rstrip() for line in [*table, *notes])


def write_score(path: Path, result: SpatialScore) -> Path:
    """Write the score as JSON, whole or not at all."""
    write_atomic(path, to_json(result))
    return path


def read_score(path: Path) -> SpatialScore:
    """The score that `write_score` wrote; anything else is a `DataError` that names the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {path}: {error}.") from error
    result = from_json(SpatialScore, text, str(path))
    if result.schema != SCHEMA:
        raise DataError(f"{path}: a score of schema {SCHEMA} was expected, got {result.schema}.")
    return result


def best_constant(
    metric: Metric, questions: Sequence[Question], constants: Iterable[Mapping[str, Mapping[str, float]]]
) -> float:
    """The best mean over the questions that a constant reaches, each given as its terms by question.

    NaN for an error that no constant has for all the questions, and for no questions.
    """
    means: list[float] = []
    for terms in constants if questions else ():
        values = [terms[question.name].get(metric.name) for question in questions]
        known = [value for value in values if value is not None]
        if metric.higher_is_better or len(known) == len(values):
            means.append(sum(known) / len(values))
    if not means:
        return NAN
    return max(means) if metric.higher_is_better else min(means)


def _check_names(answers: Mapping[str, str], questions: Sequence[Question]) -> None:
    if not questions:
        raise DataError("There is no question to score.")
    twice = [name for name, count in Counter(question.name for question in questions).items() if count > 1]
    if twice:
        raise DataError(f"Names of questions must be unique, {twice[0]!r} is not.")
    foreign = sorted(set(answers) - {question.name for question in questions})
    if foreign:
        raise DataError(f"{len(foreign)} replies belong to no question, such as {foreign[0]!r}.")


def _groups(questions: Sequence[Question]) -> list[list[Question]]:
    """Questions of one group and one kind of truth together, in the order in which they first come."""
    groups: dict[tuple[str, type], list[Question]] = {}
    for question in questions:
        groups.setdefault((question.group, type(question.truth)), []).append(question)
    return list(groups.values())


def _rows(
    group: Sequence[Question], measured: Mapping[str, Mapping[str, float]], dialect: Dialect
) -> list[ScoreRow]:
    task = task_of(group[0])
    truths = [_said(task.constant(question.truth), dialect) for question in group]
    defined = {
        question.name: _measure(task, truth, question) for question, truth in zip(group, truths, strict=True)
    }
    constants = [
        {question.name: _measure(task, constant, question) for question in group}
        for constant in _spread(truths)
    ]
    rows: list[ScoreRow] = []
    for metric in task.metrics:
        asked = [question for question in group if metric.name in defined[question.name]]
        if asked:
            rows.append(_row(metric, asked, measured, constants))
    return rows


def _row(
    metric: Metric,
    asked: Sequence[Question],
    measured: Mapping[str, Mapping[str, float]],
    constants: Sequence[Mapping[str, Mapping[str, float]]],
) -> ScoreRow:
    read = [question for question in asked if metric.name in measured.get(question.name, {})]
    counted = asked if metric.higher_is_better else read
    values = np.array([measured.get(question.name, {}).get(metric.name, 0.0) for question in counted])
    value = float(values.mean()) if len(values) else NAN
    interval, name = Interval(NAN, NAN), "bootstrap"
    if metric.is_share and set(values.tolist()) <= {0.0, 1.0}:
        interval, name = wilson_interval(int(values.sum()), len(values)), "wilson"
    elif len(values) > 1:
        interval = bootstrap_interval(values)
    return ScoreRow(
        group=asked[0].group,
        metric=metric.name,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        value=value,
        low=interval.low,
        high=interval.high,
        interval=name,
        baseline=best_constant(metric, counted, constants),
        questions=len(asked),
        read=len(read),
    )


def _measure(task: Task, value: Any, question: Question) -> dict[str, float]:
    try:
        return task.measure(value, question.truth, question.size)
    except ValueError:  # another question's answer may not fit this one, such as one with more depths
        return {}


def _said(constant: Any, dialect: Dialect) -> Any:
    """A true answer as far as the dialect can say it: depths are asked only of one with a place for them."""
    return without_uncarried(constant, dialect) if isinstance(constant, ImagePath) else constant


def _spread(truths: Sequence[Any]) -> list[Any]:
    """At most `CONSTANTS` different answers, the most frequent one among them."""
    if all(isinstance(truth, Hashable) for truth in truths):
        truths = [truth for truth, _ in Counter(truths).most_common()]
    picks = np.unique(np.linspace(0, len(truths) - 1, min(CONSTANTS, len(truths))).round().astype(int))
    return [truths[pick] for pick in picks]


def _cells(row: ScoreRow) -> tuple[str, ...]:
    star = " *" if row.beats_baseline else ""
    limits = "–" if np.isnan(row.low) else f"{row.low:.3f} … {row.high:.3f} ({row.interval})"
    return (
        row.group,
        row.metric,
        f"{row.value:.3f}{star}",
        limits,
        f"{row.baseline:.3f}",
        f"{row.read}/{row.questions}",
        row.unit,
    )
