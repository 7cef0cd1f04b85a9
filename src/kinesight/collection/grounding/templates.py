"""The eighteen actions that the simulators can show, as sentences with slots.

ST-VLA describes its human videos by 18 templates (appendix A.2) and lists none of them. These are our own. Of
its 14 kinds of task, some need what no simulator here has: `ABSENT` says which.
"""

from collections.abc import Mapping
from string import Formatter

from kinesight.types.errors import lookup
from kinesight.types.ground import Action

TEMPLATES: Mapping[str, str] = {
    "pick-up": "pick up {item}",
    "put-in": "put {item} into {place}",
    "put-on": "put {item} onto {place}",
    "stack": "stack {item} on {place}",
    "put-beside": "put {item} {relation} {place}",
    "put-back": "put {item} where {other} was",
    "set-aside": "set {item} aside",
    "push": "push {item} onto {place}",
    "pull": "pull {item} onto {place}",
    "press": "press {item}",
    "open": "open {item}",
    "close": "close {item}",
    "screw": "screw {item} {relation} {place}",
    "turn": "turn {item} {direction}",
    "insert": "insert {item} into {place}",
    "take-out": "take {item} out of {place}",
    "strike": "strike {place} with {item}",
    "raise": "pull {item} up",
}
ABSENT = (
    "pouring liquids", "wiping and cleaning of stains", "cutting", "rope, cables and cloth", "human hands",
)  # fmt: skip
"""Kinds of task of ST-VLA's data set that no environment here can show."""


def action(
    template: str,
    slots: Mapping[str, str],
    first: int,
    last: int,
    moved: str = "",
    used: str = "",
) -> Action:
    """An action whose text is the template, filled; slots have to be the template's own."""
    sentence = lookup("action template", template, TEMPLATES)
    wanted = {field for _, field, _, _ in Formatter().parse(sentence) if field}
    if wanted != set(slots):
        raise ValueError(f"template {template!r} has the slots {sorted(wanted)}, got {sorted(slots)}")
    return Action(template, dict(slots), sentence.format(**slots), first, last, moved, used or moved)
