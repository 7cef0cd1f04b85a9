"""An answer between a picture and a text: numbers in a dialect's own unit, still spelled as in the text.

A grammar turns text into a `Sketch` and back and knows nothing about the picture; a grid (`grid.py`) turns
the numbers of a sketch into shares of the picture and knows nothing about the text.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from kinesight.types.spatial import GripperEvent, Kind

NUMERAL = r"-?[0-9]{1,9}(?:\.[0-9]{1,20})?"
"""ASCII digits without an exponent; more digits are no coordinate."""
_NUMERAL = re.compile(NUMERAL)


class Malformed(Exception):
    """What a grammar or a grid says of text that is not its own; readers turn it into a `DialectError`."""

    def __init__(self, expected: str, got: object) -> None:
        super().__init__(expected, got)
        self.expected, self.got = expected, str(got)


@dataclass(frozen=True, slots=True)
class Sketch:
    """Rows of numerals: two a point, four a box, two a point of a path."""

    kind: Kind
    rows: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...] = ()
    """One a row for points and boxes, "" where there is none; empty for a path."""
    depth_m: tuple[str, ...] | None = None
    events: tuple[GripperEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands around an answer in a record of training data; plain answers leave it out."""

    question: str = ""
    image: str = ""
    """The picture's path as the record shall name it."""


@runtime_checkable
class Grammar(Protocol):
    """How numbers are set in text."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The answers that this grammar has a form for."""
        ...

    @property
    def carries(self) -> frozenset[str]:
        """Which of "label", "depth" and "gripper" find a place in the text."""
        ...

    def write(self, sketch: Sketch, prompt: Prompt) -> str: ...

    def read(self, text: str, kind: Kind) -> Sketch:
        """The sketch behind a text, or `Malformed`; nothing else is ever raised."""
        ...


class Numeral(str):
    """A number of a JSON document, as spelled there."""


def numeral(value: object, what: str = "a number such as 12 or 0.25") -> str:
    """`value` if it is a numeral, in text or as parsed by `parse_numerals`."""
    if not isinstance(value, str) or _NUMERAL.fullmatch(value) is None:
        raise Malformed(what, value)
    return str(value)


def numerals(values: object, count: int, what: str) -> tuple[str, ...]:
    """A JSON list of `count` numbers."""
    if not isinstance(values, list) or len(values) != count:
        raise Malformed(what, values)
    if not all(isinstance(value, Numeral) for value in values):
        raise Malformed(f"{what}, of numbers", values)
    return tuple(numeral(value) for value in values)


def parse_numerals(text: str) -> Any:
    """JSON whose numbers stay as they are spelled, so that no digit is lost before it is judged."""
    try:
        return json.loads(
            text,
            parse_int=Numeral,
            parse_float=Numeral,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except (json.JSONDecodeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Malformed(f"JSON ({reason})", text) from None


def unfenced(text: str) -> str:
    """The inside of a ```code fence``` that is the whole reply, as chat models set it, or the text itself."""
    text = text.strip()
    head, newline, inside = text.partition("\n")
    if not newline or not head.startswith("```") or not inside.endswith("```"):
        return text
    return inside.removesuffix("```").strip()


def check_keys(
    record: object, required: Iterable[str], optional: Iterable[str], what: str
) -> Mapping[str, Any]:
    """`record` if it is a JSON object with these keys and no other."""
    required = tuple(required)
    known = (*required, *optional)
    if not isinstance(record, dict):
        raise Malformed(f"{what}: an object with {', '.join(known)}", record)
    missing = [key for key in required if key not in record]
    foreign = [key for key in record if key not in known]
    if missing or foreign:
        said = f"without {missing[0]!r}" if missing else f"with {foreign[0]!r}"
        raise Malformed(f"{what}: an object with {', '.join(known)}", f"one {said}: {record}")
    return record


def check_text(value: object, what: str) -> str:
    if not isinstance(value, str) or isinstance(value, Numeral):
        raise Malformed(f"{what} as a string", value)
    return value


def check_list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise Malformed(f"a list of {what}, one at least", value)
    return value


def _no_constant(name: str) -> Any:
    raise Malformed("finite numbers", name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise Malformed("every key once", [key for key, _ in pairs])
    return record
