"""Writing and reading one answer in one dialect.

A dialect is a grid (what a unit is) and a grammar (how numbers are set). Readers are strict: a text is an
answer from its first character to its last, or a `DialectError` that says what was expected, what came and
which other dialects would have read it. Nothing is guessed, cut out of prose or evaluated as code.

Writing rounds to the grid; what comes back differs by half a unit at most. Two dialects with one grammar and
overlapping numbers cannot be told apart from one reply: [12, 40] may be pixels or thousandths. `census`
counts over many replies instead.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from kinesight.language.dialects.grid import Grid
from kinesight.language.dialects.sketch import Grammar, Malformed, Prompt, Sketch
from kinesight.types.errors import KinesightError, UsageError
from kinesight.types.spatial import (
    Answer,
    ImageBox,
    ImagePath,
    ImagePoint,
    ImageSize,
    Kind,
    kind_of,
)

T = TypeVar("T")
LONGEST_REPLY = 20_000
"""Characters; more is no answer."""
SMALLEST_DEPTH_M = 0.0005
"""Depths are written to the millimetre, and 0 is no depth."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write places; `kinesight.language.dialects.catalogue.DIALECTS` names those there are."""

    name: str
    grid: Grid
    grammar: Grammar
    instruction: str
    """The form in a sentence, as a question may ask for it."""


class DialectError(KinesightError):
    """A reply that is not in the dialect asked for."""

    def __init__(
        self, dialect: str, kind: Kind, expected: str, got: str, looks_like: tuple[tuple[str, Kind], ...] = ()
    ) -> None:
        self.dialect, self.kind, self.expected, self.looks_like = dialect, kind, expected, looks_like
        shown = got if len(got) <= 80 else got[:77] + "…"
        hint = ", ".join(f"{name} {other}" for name, other in looks_like)
        super().__init__(
            f"{dialect} {kind}: expected {expected}, got {shown!r}"
            + (f"; this reads as {hint}" if hint else "")
        )


def write(answer: Answer, size: ImageSize, dialect: Dialect, prompt: Prompt | None = None) -> str:
    """The answer as the dialect says it, for a picture of that size.

    `prompt` goes into dialects that are records and is left out elsewhere. What the dialect has no place for
    is refused, never dropped; `without_uncarried` drops it first.
    """
    kind = kind_of(answer)
    _check_form(kind, dialect)
    if uncarried := sorted(_extras(answer) - dialect.grammar.carries):
        raise UsageError(f"Dialect {dialect.name!r} has no place for {', '.join(uncarried)} in {kind}.")
    try:
        return dialect.grammar.write(_sketch(answer, size, dialect.grid), prompt or Prompt())
    except Malformed as problem:
        raise UsageError(f"{dialect.name} {kind}: expected {problem.expected}, got {problem.got}.") from None


def read(text: str, kind: Kind, size: ImageSize, dialect: Dialect, known: Iterable[Dialect] = ()) -> Answer:
    """The answer of that kind that a reply says, or a `DialectError`.

    The error names those of the `known` dialects (and those other kinds of this one) that read the reply.
    """
    _check_form(kind, dialect)
    try:
        return _place(_parse(text, kind, dialect.grammar), size, dialect.grid, text)
    except Malformed as problem:
        alternatives = recognise(text, size, {each.name: each for each in (dialect, *known)})
        raise DialectError(dialect.name, kind, problem.expected, problem.got, alternatives) from None


def recognise(text: str, size: ImageSize, dialects: Mapping[str, Dialect]) -> tuple[tuple[str, Kind], ...]:
    """Every dialect and kind that reads the reply, in the order of the table."""
    sketches: dict[tuple[Grammar, Kind], Sketch | None] = {}
    found: list[tuple[str, Kind]] = []
    for name, dialect in dialects.items():
        for kind in dialect.grammar.kinds:
            form = dialect.grammar, kind
            if form not in sketches:  # dialects that differ in their unit only share a reading
                sketches[form] = _attempt(lambda form=form: _parse(text, form[1], form[0]))
            sketch = sketches[form]
            if sketch and _attempt(lambda grid=dialect.grid, sketch=sketch: _place(sketch, size, grid, text)):
                found.append((name, kind))
    return tuple(found)


def census(
    replies: Iterable[tuple[str, ImageSize]], dialects: Mapping[str, Dialect]
) -> Counter[tuple[str, Kind]]:
    """How many of the replies each dialect and kind reads: what a whole file of answers is written in."""
    return Counter(entry for text, size in replies for entry in recognise(text, size, dialects))


def without_uncarried(answer: Answer, dialect: Dialect) -> Answer:
    """The answer less the labels, depths and gripper events that the dialect has no place for."""
    carries = dialect.grammar.carries
    if isinstance(answer, ImagePath):
        kept = answer if "depth" in carries else replace(answer, depth_m=None)
        return kept if "gripper" in carries else replace(kept, events=())
    if "label" in carries:
        return answer
    return tuple(replace(mark, label="") for mark in answer)  # pyright: ignore[reportReturnType]


def _check_form(kind: Kind, dialect: Dialect) -> None:
    forms = dialect.grammar.kinds
    if kind not in forms:
        raise UsageError(
            f"Dialect {dialect.name!r} has no form for {kind}; it has one for {', '.join(forms)}."
        )


def _extras(answer: Answer) -> set[str]:
    if isinstance(answer, ImagePath):
        extras = {"depth"} if answer.depth_m is not None else set()
        return extras | ({"gripper"} if answer.events else set())
    return {"label"} if any(mark.label for mark in answer) else set()


def _sketch(answer: Answer, size: ImageSize, grid: Grid) -> Sketch:
    if not isinstance(answer, ImagePath):
        rows = tuple(
            grid.write(mark.xy if isinstance(mark, ImagePoint) else mark.edges, size) for mark in answer
        )
        return Sketch(kind_of(answer), rows, tuple(mark.label for mark in answer))
    rows = tuple(grid.write((float(x), float(y)), size) for x, y in answer.points)
    depth_m = None
    if answer.depth_m is not None:
        if answer.depth_m.min() < SMALLEST_DEPTH_M:
            raise Malformed("depths of a millimetre at least", f"{answer.depth_m.min()} m")
        depth_m = tuple(f"{depth:.3f}" for depth in answer.depth_m)
    return Sketch("path", rows, (), depth_m, answer.events)


def _parse(text: str, kind: Kind, grammar: Grammar) -> Sketch:
    if len(text) > LONGEST_REPLY:
        raise Malformed(f"at most {LONGEST_REPLY} characters", f"{len(text)} characters")
    return grammar.read(text, kind)


def _place(sketch: Sketch, size: ImageSize, grid: Grid, text: str) -> Answer:
    rows = [grid.read(row, size) for row in sketch.rows]
    labels = [label.strip() for label in sketch.labels]
    try:
        if sketch.kind == "points":
            return tuple(ImagePoint(x, y, label) for (x, y), label in zip(rows, labels, strict=True))
        if sketch.kind == "boxes":
            return tuple(
                ImageBox(a, b, c, d, label) for (a, b, c, d), label in zip(rows, labels, strict=True)
            )
        depth_m = None if sketch.depth_m is None else np.array([float(depth) for depth in sketch.depth_m])
        return ImagePath(np.array(rows, np.float64), depth_m, sketch.events)
    except ValueError as error:  # a box inside out, a depth of 0, an event past the end
        raise Malformed(str(error), text) from None


def _attempt(reading: Callable[[], T]) -> T | None:
    try:
        return reading()
    except Malformed:
        return None
