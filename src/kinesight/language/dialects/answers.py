"""Answers that are not places: depths along a path, a choice, progress in a task.

Depths follow ST-VLA's second question (section 3.3.2): metres to the centimetre, one a point of the path,
relative to the first point. Positive is further away; the first offset is 0.

    <answer_start>[0.00, -0.06, -0.15]<answer_end>

Progress is a sentence of ours, as the paper shows the question but not the reply:

    2 steps completed, task not finished

A single depth is a number with its unit:

    0.85 m
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinesight.language.dialects.codec import LONGEST_REPLY
from kinesight.types.errors import KinesightError

OPENING, CLOSING = "<answer_start>", "<answer_end>"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER = re.compile(r"-?[0-9]{1,4}(?:\.[0-9]{1,20})?")
_METRES = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,20})?) ?m\.?")
_PROGRESS = re.compile(r"([0-9]{1,4}) steps? completed, task (not )?finished\.?")
_CHOICE = re.compile(r"\(?([A-Z])(?:\)|\.)?(?:\s+(.+))?")


class AnswerError(KinesightError):
    """A reply that is not an answer to its question."""

    def __init__(self, question: str, expected: str, got: str) -> None:
        shown = got if len(got) <= 80 else got[:77] + "…"
        super().__init__(f"{question}: expected {expected}, got {shown!r}")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task has come."""

    completed: int
    """Steps."""
    finished: bool


def write_depth_offsets(depth_m: Float[np.ndarray, "n"]) -> str:
    """z-depths along a path as offsets from the first one, rounded to the centimetre."""
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    offsets = np.round(np.asarray(depth_m, np.float64) - depth_m[0], 2) + 0.0
    return f"{OPENING}[{', '.join(f'{offset:.2f}' for offset in offsets)}]{CLOSING}"


def read_depth_offsets(text: str, count: int) -> Float[np.ndarray, "n"]:
    """`count` offsets in metres from the start of a path, the first of them 0."""
    expected = f"{OPENING}[0.00, …]{CLOSING} with {count} numbers in metres"
    inner = _short(text, "depths", expected).strip()
    if not (inner.startswith(f"{OPENING}[") and inner.endswith(f"]{CLOSING}")):
        raise AnswerError("depths", expected, text)
    numbers = [part.strip() for part in inner[len(OPENING) + 1 : -len(CLOSING) - 1].split(",")]
    if len(numbers) != count or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise AnswerError("depths", expected, text)
    offsets = np.array([float(number) for number in numbers])
    if offsets[0] != 0:
        raise AnswerError("depths", "0.00 at the first point, as all are relative to it", numbers[0])
    return offsets


def write_metres(metres: float) -> str:
    """One depth, rounded to the centimetre."""
    return f"{metres:.2f} m"


def read_metres(text: str) -> float:
    expected = f"metres such as {write_metres(0.85)!r}"
    match = _METRES.fullmatch(_short(text, "depth", expected).strip())
    if match is None:
        raise AnswerError("depth", expected, text)
    return float(match.group(1))


def write_progress(progress: Progress) -> str:
    steps = "step" if progress.completed == 1 else "steps"
    return f"{progress.completed} {steps} completed, task {'' if progress.finished else 'not '}finished"


def read_progress(text: str) -> Progress:
    expected = f"a sentence such as {write_progress(Progress(2, False))!r}"
    match = _PROGRESS.fullmatch(_short(text, "progress", expected).strip())
    if match is None:
        raise AnswerError("progress", expected, text)
    return Progress(int(match.group(1)), match.group(2) is None)


def write_choice(option: int, options: Sequence[str]) -> str:
    """The letter and the words of the option of that number."""
    return f"{LETTERS[option]}. {options[option]}"


def read_choice(text: str, options: Sequence[str]) -> int:
    """Number of the option that a reply names: by letter (A, (A), A.), by its words, or by both alike."""
    letters = LETTERS[: len(options)]
    expected = f"one of {', '.join(f'{a}. {b}' for a, b in zip(letters, options, strict=True))}"
    stripped = _short(text, "choice", expected).strip()
    words = [option.casefold() for option in options]
    if words.count(stripped.removesuffix(".").casefold()) == 1:
        return words.index(stripped.removesuffix(".").casefold())
    match = _CHOICE.fullmatch(stripped)
    if match is None or match.group(1) not in letters:
        raise AnswerError("choice", expected, text)
    option = letters.index(match.group(1))
    said = match.group(2)
    if said is not None and said.removesuffix(".").casefold() != words[option]:
        raise AnswerError("choice", f"{expected}, letter and words alike", text)
    return option


def _short(text: str, question: str, expected: str) -> str:
    if len(text) > LONGEST_REPLY:
        raise AnswerError(question, expected, f"{len(text)} characters")
    return text
