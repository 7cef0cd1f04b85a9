"""Lists of tuples: RoboPoint, HAMSTER, PEEK and ST-VLA.

    RoboPoint   [(0.461, 0.527), (0.498, 0.521)]
    HAMSTER     <ans>[(0.25, 0.32), <action>Close Gripper</action>, (0.74, 0.21)]</ans>
    PEEK        TRAJECTORY: <ans>[(0.25, 0.32), (0.32, 0.17)]</ans> MASK: <ans>[(0.25, 0.32)]</ans>
    ST-VLA      <answer_start>[(643,367), (696,470)]<answer_end>

A gripper action belongs to the point before it. PEEK's mask is a set of points the robot must see; the
model's own decoder adds the path to it, so a path is written with a mask that repeats it.
"""

import re
from dataclasses import dataclass

from kinesight.language.dialects.sketch import NUMERAL, Malformed, Prompt, Sketch
from kinesight.types.spatial import GripperEvent, Kind

_TUPLE = re.compile(rf"\(\s*({NUMERAL}(?:\s*,\s*{NUMERAL})*)\s*\)")
_ACTION = re.compile(r"<action>\s*(Open|Close) Gripper\s*</action>")
_COMMA = re.compile(r"\s*,\s*")
_WIDTH = {"points": 2, "boxes": 4, "path": 2}
_PEEK = re.compile(
    r"(?:INSTRUCTION:\s*<lang>[^<>]*</lang>\s*)?"
    r"(?:TRAJECTORY:\s*<ans>(?P<path>[^<>]*)</ans>\s*)?"
    r"(?:MASK:\s*<ans>(?P<points>[^<>]*)</ans>)?"
)


@dataclass(frozen=True, slots=True)
class TupleList:
    """One bracketed list between two marks."""

    opening: str = ""
    closing: str = ""
    kinds: tuple[Kind, ...] = ("points", "path")
    path_points: int | None = None
    """How many points a path must have; None takes any number."""
    separator: str = ", "
    """Between the numbers of a tuple."""
    gripper: bool = False
    """Whether <action> tags are written and read."""

    @property
    def carries(self) -> frozenset[str]:
        return frozenset({"gripper"}) if self.gripper else frozenset()

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        if sketch.kind == "path" and self.path_points not in (None, len(sketch.rows)):
            raise Malformed(f"a path of exactly {self.path_points} points", f"{len(sketch.rows)} points")
        return f"{self.opening}{write_tuples(sketch, self.separator)}{self.closing}"

    def read(self, text: str, kind: Kind) -> Sketch:
        text = text.strip()
        if not (text.startswith(self.opening) and text.endswith(self.closing)):
            raise Malformed(f"{self.opening}[(x, y), …]{self.closing}", text)
        inside = text[len(self.opening) : len(text) - len(self.closing)]
        sketch = read_tuples(inside, kind, self.gripper and kind == "path")
        if kind == "path" and self.path_points not in (None, len(sketch.rows)):
            raise Malformed(f"exactly {self.path_points} points", f"{len(sketch.rows)} points")
        return sketch


@dataclass(frozen=True, slots=True)
class PeekAnswer:
    """A path, a set of points to keep visible, or both."""

    kinds: tuple[Kind, ...] = ("points", "path")
    carries: frozenset[str] = frozenset()

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        listed = write_tuples(sketch, ", ")
        path = f"TRAJECTORY: <ans>{listed}</ans> " if sketch.kind == "path" else ""
        return f"{path}MASK: <ans>{listed}</ans>"

    def read(self, text: str, kind: Kind) -> Sketch:
        match = _PEEK.fullmatch(text.strip())
        if match is None or match[kind] is None:
            part = "TRAJECTORY" if kind == "path" else "MASK"
            raise Malformed(f"{part}: <ans>[(x, y), …]</ans>", text)
        other: Kind = "points" if kind == "path" else "path"
        if match[other] is not None and match[other].strip() != "[]":
            read_tuples(match[other], other, False)  # a reply is whole or refused, also where we do not look
        return read_tuples(match[kind], kind, False)


def write_tuples(sketch: Sketch, separator: str) -> str:
    """[(x, y), …], each gripper action after its point."""
    items: list[str] = []
    for index, row in enumerate(sketch.rows):
        items.append(f"({separator.join(row)})")
        items += [
            f"<action>{'Open' if event.opens else 'Close'} Gripper</action>"
            for event in sketch.events
            if event.index == index
        ]
    return f"[{', '.join(items)}]"


def read_tuples(text: str, kind: Kind, gripper: bool) -> Sketch:
    """The list that `write_tuples` writes, with any spaces."""
    text = text.strip()
    width = _WIDTH[kind]
    expected = f"a list of tuples with {width} numbers each"
    if not (text.startswith("[") and text.endswith("]")) or len(text) < 2:
        raise Malformed(expected, text)
    text = text[1:-1].strip()
    rows: list[tuple[str, ...]] = []
    events: list[GripperEvent] = []
    position = 0
    while True:
        if match := _TUPLE.match(text, position):
            row = tuple(number.strip() for number in match.group(1).split(","))
            if len(row) != width:
                raise Malformed(expected, match.group())
            rows.append(row)
        elif gripper and (match := _ACTION.match(text, position)):
            if not rows:
                raise Malformed("a point before the first gripper action", text)
            events.append(GripperEvent(len(rows) - 1, match.group(1) == "Open"))
        else:
            raise Malformed(expected, text[position:] or "nothing")
        position = match.end()
        if position == len(text):
            break
        comma = _COMMA.match(text, position)
        if comma is None:
            raise Malformed("a comma between tuples", text[position:])
        position = comma.end()
    return Sketch(kind, tuple(rows), () if kind == "path" else ("",) * len(rows), None, tuple(events))
