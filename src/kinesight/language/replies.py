"""Strict readers of what planner and judge answer; the forms are those of `kinesight.language.prompts`.

One habit of language models is forgiven, a code fence round the whole answer. Everything else that departs
from the form is an error that says where.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kinesight.language.chat_errors import RefusedReply
from kinesight.language.plan_text import PlanError, parse_plan
from kinesight.language.prompts import CANNOT
from kinesight.types.errors import KinesightError
from kinesight.types.plan import MAX_ROWS, SpatialPlan

T = TypeVar("T")
_FENCE = re.compile(r"\s*```[a-z]*\n(.*?)\n?```\s*", re.DOTALL)
YES_NO = {"yes": 1.0, "no": 0.0}
WORDS = {"Accept": True, "Reject": False}


class JudgementError(KinesightError):
    """Text that is no judgement."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Accept or reject, with the answer to every criterion (1 yes, 0 no)."""

    accept: bool
    terms: Mapping[str, float]
    reason: str


def read_plan(text: str, longest_m: float) -> SpatialPlan:
    """The plan in an answer; `PlanError` if it is none or beyond reach, `RefusedReply` for "Cannot:"."""
    bare = without_fence(text)
    if bare.lstrip().startswith(CANNOT):
        raise RefusedReply(f"the planner declined: {_short(bare.lstrip().removeprefix(CANNOT))}")
    plan = parse_plan(bare)
    if len(plan.rows) > MAX_ROWS:
        raise PlanError(0, f"at most {MAX_ROWS} rows", f"{len(plan.rows)} rows")
    for index, row in enumerate(plan.rows, 1):
        if row.distance_m > longest_m:
            raise PlanError(
                0, f"distances of at most {longest_m:g} m", f"{row.distance_m:g} m in row {index}"
            )
    return plan


def read_judgement(text: str, criteria: Sequence[str]) -> Judgement:
    """The judgement in an answer: a line for each criterion, then verdict and reason."""
    lines = [line.strip() for line in without_fence(text).splitlines() if line.strip()]
    names = [*criteria, "verdict", "reason"]
    if len(lines) != len(names):
        raise JudgementError(f"expected {len(names)} lines, {', '.join(names)}; got {len(lines)}")
    said = {name: _after(name, line) for name, line in zip(names, lines, strict=True)}
    return Judgement(
        accept=_one_of(WORDS, "verdict", said["verdict"]),
        terms={name: _one_of(YES_NO, name, said[name]) for name in criteria},
        reason=said["reason"],
    )


def without_fence(text: str) -> str:
    """The text inside a code fence that surrounds all of it, otherwise the text."""
    match = _FENCE.fullmatch(text)
    return match.group(1) if match else text


def _after(name: str, line: str) -> str:
    start, colon, rest = line.partition(":")
    if start.strip() != name or not colon or not rest.strip():
        raise JudgementError(f"expected a line '{name}: …', got {_short(line)!r}")
    return rest.strip()


def _one_of(words: Mapping[str, T], name: str, said: str) -> T:
    if said not in words:
        raise JudgementError(f"expected {' or '.join(words)} after '{name}:', got {_short(said)!r}")
    return words[said]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:119] + "…"
