"""Spatial plans as text and as ids (Spatial Policy, Eq. 1-2).

The text is a header and one numbered row a sub-goal, e.g.

    Plan:
    1. move [-1, 0, 0] [0.19]
    2. grasp [0, 0, 0] [0.00]

with direction signs x (right -, left +), y (up +, down -), z (forward -, back +) and a distance in metres
to the centimetre. The reader is strict: whatever departs from this raises a `PlanError` that names the
line. A header without rows is the empty plan: nothing is left to do.
"""

import re
from difflib import get_close_matches

import numpy as np

from kinesight.types.errors import KinesightError
from kinesight.types.plan import MAX_ROWS, NO_DIRECTION, PAD_VERB, VERBS, EncodedPlan, PlanRow, SpatialPlan

HEADER = "Plan:"
LONGEST_TEXT = 10_000
"""Characters; more is not a plan."""
_ROW = re.compile(r"(\S+)\s+(\S+?)\s*\[([^\[\]]*)\]\s*\[([^\[\]]*)\]")
_EXAMPLE = "1. move [-1, 0, 0] [0.19]"
_SPOKEN_VERBS = tuple(verb for verb in VERBS if verb != "pad")


class PlanError(KinesightError):
    """Text that is not a plan; `line` counts from 1, 0 is the text as a whole."""

    def __init__(self, line: int, expected: str, got: str) -> None:
        self.line, self.expected = line, expected
        shown = got if len(got) <= 80 else got[:77] + "…"
        where = f"plan line {line}" if line else "plan"
        super().__init__(f"{where}: expected {expected}, got {shown!r}")


def parse_plan(text: str) -> SpatialPlan:
    """The plan that a text says; blank lines and surrounding spaces are ignored."""
    if len(text) > LONGEST_TEXT:
        raise PlanError(0, f"at most {LONGEST_TEXT} characters", f"{len(text)} characters")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise PlanError(0, f"the header {HEADER!r} and rows", text)
    number, header = lines[0]
    if header != HEADER:
        raise PlanError(number, f"the header {HEADER!r}", header)
    return SpatialPlan(tuple(_row(line, number, index) for index, (number, line) in enumerate(lines[1:], 1)))


def format_plan(plan: SpatialPlan) -> str:
    """The plan as text, distances rounded to the centimetre; padding rows are left out."""
    rows = [row for row in plan.rows if row.verb != "pad"]
    lines = [
        f"{index}. {row.verb} [{', '.join(str(sign) for sign in row.direction)}] [{row.distance_m:.2f}]"
        for index, row in enumerate(rows, 1)
    ]
    return "\n".join([HEADER, *lines])


def encode_plan(plan: SpatialPlan) -> EncodedPlan:
    """Official ids, padded with (pad, no direction, 0) to `MAX_ROWS`; rows beyond are cut off."""
    verbs = np.full(MAX_ROWS, PAD_VERB, np.int64)
    directions = np.full(MAX_ROWS, NO_DIRECTION, np.int64)
    distances_m = np.zeros(MAX_ROWS, np.float32)
    for index, row in enumerate(plan.rows[:MAX_ROWS]):
        verbs[index] = VERBS.index(row.verb)
        directions[index] = direction_id(row.direction)
        distances_m[index] = row.distance_m
    return EncodedPlan(verbs, directions, distances_m)


def decode_plan(encoded: EncodedPlan) -> SpatialPlan:
    """The plan behind ids, without its padding."""
    columns = zip(encoded.verbs, encoded.directions, encoded.distances_m, strict=True)
    return SpatialPlan(
        tuple(
            PlanRow(VERBS[verb], direction_signs(int(direction)), float(distance))
            for verb, direction, distance in columns
            if verb != PAD_VERB
        )
    )


def direction_id(signs: tuple[int, int, int]) -> int:
    """9(x+1) + 3(y+1) + (z+1), 0 … 26."""
    x, y, z = signs
    return 9 * (x + 1) + 3 * (y + 1) + (z + 1)


def direction_signs(identity: int) -> tuple[int, int, int]:
    """The inverse of `direction_id`."""
    if not 0 <= identity < 27:
        raise ValueError(f"direction ids are 0 … 26, got {identity}")
    return identity // 9 - 1, identity // 3 % 3 - 1, identity % 3 - 1


def _row(line: str, number: int, index: int) -> PlanRow:
    match = _ROW.fullmatch(line)
    if match is None:
        raise PlanError(number, f"a row such as {_EXAMPLE!r}", line)
    numbering, verb, direction, distance = match.groups()
    if numbering != f"{index}.":
        raise PlanError(number, f"row number '{index}.'", numbering)
    if verb not in _SPOKEN_VERBS:
        nearest = get_close_matches(verb.lower(), _SPOKEN_VERBS, n=1, cutoff=0.5)
        hint = f" (nearest: {nearest[0]})" if nearest else ""
        raise PlanError(number, f"one of the verbs {', '.join(_SPOKEN_VERBS)}{hint}", verb)
    return PlanRow(verb, _direction(direction, number), _distance(distance, number))


def _direction(text: str, number: int) -> tuple[int, int, int]:
    signs = [part.strip() for part in text.split(",")]
    if len(signs) != 3 or not set(signs) <= {"-1", "0", "1"}:
        raise PlanError(number, "a direction of three signs, each -1, 0 or 1", f"[{text}]")
    x, y, z = (int(sign) for sign in signs)
    return x, y, z


def _distance(text: str, number: int) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text.strip()) or not np.isfinite(float(text)):
        raise PlanError(number, "a distance in metres such as 0.19, not negative", f"[{text}]")
    return float(text)
