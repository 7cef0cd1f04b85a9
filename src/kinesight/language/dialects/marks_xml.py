"""XML answers: elements whose numbered attributes hold the coordinates.

    <points x1="12" y1="40" x2="80" y2="44" alt="cup">cup</points>
    <box x1="12" y1="40" x2="80" y2="90" alt="cup">cup</box>
    <path x1="12" y1="40" z1="0.91" x2="80" y2="44" z2="0.88" gripper2="close"></path>

The first is Qwen2.5-VL's own form for points; ST4VLA (appendix F.1) names XML beside JSON without showing it,
so boxes and paths are ours in the same spirit. Elements follow each other; neighbouring points with one label
share an element. An XML parser would accept much more than this (entities, comments, doctypes), so the reader
is a scanner for this form alone.
"""

import re
from dataclasses import dataclass
from itertools import groupby

from kinesight.language.dialects.marks_json import ACTIONS
from kinesight.language.dialects.sketch import Malformed, Prompt, Sketch, numeral, unfenced
from kinesight.types.spatial import KINDS, GripperEvent, Kind

_ELEMENT = {"points": "points", "boxes": "box", "path": "path"}
_ATTRIBUTE = re.compile(r'\s+([a-z]+[0-9]*)\s*=\s*"([^"<>]*)"')
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_ENTITY = re.compile(r"&[^;&\s]{0,10};?")
_SPECIAL = {character: entity for entity, character in _ENTITIES.items()}


@dataclass(frozen=True, slots=True)
class XmlMarks:
    kinds: tuple[Kind, ...] = KINDS
    carries: frozenset[str] = frozenset({"label", "depth", "gripper"})

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        if sketch.kind == "path":
            return f"<path{_path_attributes(sketch)}></path>"
        pairs = zip(sketch.labels, sketch.rows, strict=True)
        if sketch.kind == "boxes":
            return "\n".join(_element("box", row, label) for label, row in pairs)
        groups = groupby(pairs, key=lambda pair: pair[0])
        return "\n".join(
            _element("points", tuple(number for _, row in group for number in row), label)
            for label, group in groups
        )

    def read(self, text: str, kind: Kind) -> Sketch:
        elements = _scan(unfenced(text), _ELEMENT[kind])
        if kind == "path":
            if len(elements) > 1:
                raise Malformed("one <path>", f"{len(elements)} of them")
            return _read_path(dict(elements[0][0]))
        rows: list[tuple[str, ...]] = []
        labels: list[str] = []
        for attributes, label in elements:
            numbers = _numbers(attributes, 2 if kind == "boxes" else None)
            step = 4 if kind == "boxes" else 2
            rows += [tuple(numbers[i : i + step]) for i in range(0, len(numbers), step)]
            labels += [label] * (len(numbers) // step)
        return Sketch(kind, tuple(rows), tuple(labels))


def _element(name: str, numbers: tuple[str, ...], label: str) -> str:
    shown = "".join(_SPECIAL.get(character, character) for character in label)
    coordinates = "".join(f' {"xy"[i % 2]}{i // 2 + 1}="{number}"' for i, number in enumerate(numbers))
    return f'<{name}{coordinates} alt="{shown}">{shown}</{name}>'


def _path_attributes(sketch: Sketch) -> str:
    parts: list[str] = []
    for index, (x, y) in enumerate(sketch.rows):
        parts.append(f' x{index + 1}="{x}" y{index + 1}="{y}"')
        if sketch.depth_m is not None:
            parts.append(f' z{index + 1}="{sketch.depth_m[index]}"')
        here = [event.opens for event in sketch.events if event.index == index]
        if len(here) > 1:
            raise Malformed("at most one gripper event at a point, as XML has one attribute for it", here)
        if here:
            parts.append(f' gripper{index + 1}="{"open" if here[0] else "close"}"')
    return "".join(parts)


def _scan(text: str, name: str) -> list[tuple[dict[str, str], str]]:
    """Attributes and label of each element; nothing but space may stand between elements."""
    elements: list[tuple[dict[str, str], str]] = []
    position = 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        if not text.startswith(f"<{name}", position):
            raise Malformed(f"an element <{name} …>", text[position:])
        position += 1 + len(name)
        attributes: dict[str, str] = {}
        while match := _ATTRIBUTE.match(text, position):
            if match.group(1) in attributes:
                raise Malformed("every attribute once", match.group(0))
            attributes[match.group(1)] = match.group(2)
            position = match.end()
        end = text.find("</", position)
        if not text.startswith(">", position) or not text.startswith(f"</{name}>", end):
            raise Malformed(f'attributes such as x1="12" and </{name}>', text[position:])
        label = _unescaped(text[position + 1 : end].strip())
        if "alt" in attributes and _unescaped(attributes.pop("alt")) != label:
            raise Malformed("alt equal to the element's text", text[position:])
        elements.append((attributes, label))
        position = end + len(name) + 3
    if not elements:
        raise Malformed(f"an element <{name} …>", text)
    return elements


def _numbers(attributes: dict[str, str], points: int | None) -> list[str]:
    """x1, y1, x2, y2 …, all of them there and no other attribute."""
    count = len(attributes) // 2 if points is None else points
    names = [f"{axis}{i + 1}" for i in range(max(count, 1)) for axis in "xy"]
    if sorted(attributes) != sorted(names):
        raise Malformed(f"attributes {', '.join(names[:4])} … and alt", ", ".join(attributes))
    return [numeral(attributes[name]) for name in names]


def _read_path(attributes: dict[str, str]) -> Sketch:
    coordinates = {key: value for key, value in attributes.items() if key[0] in "xy"}
    numbers = _numbers(coordinates, None)
    rows = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    depth_names = [f"z{i + 1}" for i in range(len(rows))]
    depths = [attributes[name] for name in depth_names if name in attributes]
    if depths and len(depths) < len(rows):
        raise Malformed(f"{len(rows)} depths, one a point, or none", f"{len(depths)} depths")
    events: list[GripperEvent] = []
    for index in range(len(rows)):
        action = attributes.get(f"gripper{index + 1}")
        if action is not None and action not in ACTIONS:
            raise Malformed(f"a gripper action, {' or '.join(ACTIONS)}", action)
        if action is not None:
            events.append(GripperEvent(index, ACTIONS[action]))
    foreign = (
        set(attributes) - set(coordinates) - set(depth_names) - {f"gripper{e.index + 1}" for e in events}
    )
    if foreign:
        raise Malformed("attributes x1, y1, z1, gripper1 …", ", ".join(sorted(foreign)))
    return Sketch("path", rows, (), tuple(map(numeral, depths)) or None, tuple(events))


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match.group() not in _ENTITIES:
            raise Malformed(f"one of the entities {', '.join(_ENTITIES)}", match.group())
        return _ENTITIES[match.group()]

    if "<" in text or ">" in text:
        raise Malformed("&lt; and &gt; for angle brackets", text)
    return _ENTITY.sub(character, text)
