"""JSON answers as Qwen2.5-VL and Qwen3-VL write them, with a path in the same spirit.

    [{"bbox_2d": [x1, y1, x2, y2], "label": "mug"}, …]
    [{"point_2d": [x, y], "label": "handle"}, …]
    {"path_2d": [[x, y], …], "depth_m": [0.912, …], "gripper": [{"point": 3, "action": "close"}]}

The first two are the models' own. Neither family has a form for a path; the third is ours. `label`,
`depth_m` and `gripper` may be absent. A code fence around the whole reply is taken off.
"""

import json
from dataclasses import dataclass
from typing import Any

from kinesight.language.dialects.sketch import (
    Malformed,
    Prompt,
    Sketch,
    check_keys,
    check_list,
    check_text,
    numerals,
    parse_numerals,
    unfenced,
)
from kinesight.types.spatial import KINDS, GripperEvent, Kind

ACTIONS = {"close": False, "open": True}
"""The word for a gripper event -> whether it opens."""
_FIELD = {"points": ("point_2d", 2), "boxes": ("bbox_2d", 4)}


@dataclass(frozen=True, slots=True)
class JsonMarks:
    """A list of labelled points or boxes, or an object that holds a path."""

    kinds: tuple[Kind, ...] = KINDS
    carries: frozenset[str] = frozenset({"label", "depth", "gripper"})

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        if sketch.kind == "path":
            return _write_path(sketch)
        field, _ = _FIELD[sketch.kind]
        marks = [
            f'{{"{field}": {_list(row)}' + (f', "label": {_quoted(label)}}}' if label else "}")
            for row, label in zip(sketch.rows, sketch.labels, strict=True)
        ]
        return "[" + ", ".join(marks) + "]"

    def read(self, text: str, kind: Kind) -> Sketch:
        document = parse_numerals(unfenced(text))
        if kind == "path":
            return _read_path(document)
        field, count = _FIELD[kind]
        marks = [
            check_keys(mark, (field,), ("label",), f"each of the {kind}")
            for mark in check_list(document, f"{field} objects")
        ]
        return Sketch(
            kind,
            tuple(numerals(mark[field], count, f"{field}: a list of {count}") for mark in marks),
            tuple(check_text(mark.get("label", ""), "label") for mark in marks),
        )


def _write_path(sketch: Sketch) -> str:
    parts = [f'"path_2d": [{", ".join(_list(row) for row in sketch.rows)}]']
    if sketch.depth_m is not None:
        parts.append(f'"depth_m": {_list(sketch.depth_m)}')
    if sketch.events:
        words = {opens: word for word, opens in ACTIONS.items()}
        events = [f'{{"point": {e.index}, "action": "{words[e.opens]}"}}' for e in sketch.events]
        parts.append(f'"gripper": [{", ".join(events)}]')
    return "{" + ", ".join(parts) + "}"


def _read_path(document: Any) -> Sketch:
    record = check_keys(document, ("path_2d",), ("depth_m", "gripper"), "the path")
    points = check_list(record["path_2d"], "points [x, y]")
    rows = tuple(numerals(point, 2, "each point as [x, y]") for point in points)
    depth_m = None
    if "depth_m" in record:
        depth_m = numerals(record["depth_m"], len(rows), f"depth_m: a list of {len(rows)}, one a point")
    events = record.get("gripper", [])
    if not isinstance(events, list):
        raise Malformed("gripper as a list of events", events)
    return Sketch("path", rows, (), depth_m, tuple(_read_event(event) for event in events))


def _read_event(event: Any) -> GripperEvent:
    record = check_keys(event, ("point", "action"), (), "each gripper event")
    index, action = record["point"], record["action"]
    if not isinstance(index, str) or not index.isascii() or not index.isdecimal() or len(index) > 6:
        raise Malformed("the number of a point, counted from 0", index)
    if not isinstance(action, str) or action not in ACTIONS:
        raise Malformed(f"a gripper action, {' or '.join(ACTIONS)}", action)
    return GripperEvent(int(index), ACTIONS[action])


def _list(row: tuple[str, ...]) -> str:
    return f"[{', '.join(row)}]"


def _quoted(label: str) -> str:
    return json.dumps(label, ensure_ascii=False)
