"""The table-top's steps as linked actions: when each begins, which template it is, what it moves.

A step that grips something is two actions, picking up and what follows, as ST-VLA's episodes end where the
hand lets go. Begin and end are what the scripted expert said itself (its events), not guesses from motion.
"""

import re
from collections.abc import Sequence
from typing import Any

from kinesight.collection.grounding.templates import action
from kinesight.envs.tabletop_draw import Rejected
from kinesight.envs.tabletop_language import describe
from kinesight.envs.tabletop_layout import Thing
from kinesight.envs.tabletop_steps import Clear, Press, Push, Put, PutAt, Screw, Slide, Step
from kinesight.envs.tabletop_tasks import Setting
from kinesight.types.errors import DataError
from kinesight.types.ground import Action

NAMES = {"socket": "the lamp"}
"""Kinds that sentences call otherwise."""
_ITEM = re.compile(r"^put (the .+?) into ")
"""What a step's sentence calls a thing that has an equal."""


def actions_of(setting: Setting, events: Sequence[Sequence[Any]], length: int) -> tuple[Action, ...]:
    """One or two actions for each step that the expert began, covering moments 0 to `length`."""
    begun = {reason: moment for moment, kind, reason in reversed(events) if kind == "subtask"}
    steps = [step for step in setting.steps if step.text in begun]
    if not steps:
        raise DataError(f"The expert began none of the steps of {setting.instruction!r}.")
    grasps = [(moment, reason) for moment, kind, reason in events if kind == "keypose"]
    starts = [0, *(begun[step.text] for step in steps[1:]), length]
    actions: list[Action] = []
    for step, first, last in zip(steps, starts[:-1], starts[1:], strict=True):
        if last <= first:
            continue  # done as soon as it was begun
        actions += _of_step(setting, step, first, last, grasps)
    return tuple(actions)


def detours(actions: Sequence[Action], events: Sequence[Sequence[Any]]) -> frozenset[int]:
    """Numbers of the actions in which the expert came to a key pose twice: it had to begin again."""
    found = set()
    for number, each in enumerate(actions):
        reached = [
            reason
            for moment, kind, reason in events
            if kind == "keypose" and each.first < moment <= each.last
        ]
        if len(set(reached)) < len(reached):
            found.add(number)
    return frozenset(found)


def thing_words(things: Sequence[Thing], thing: Thing) -> str:
    """ "the red cube"; "" where these words fit another one too."""
    if thing.kind in NAMES:
        return NAMES[thing.kind]
    try:
        return describe(things, thing)
    except Rejected:
        return ""


def _of_step(
    setting: Setting, step: Step, first: int, last: int, grasps: Sequence[tuple[int, str]]
) -> list[Action]:
    def words(name: str) -> str:
        thing = next(each for each in setting.things if each.name == name)
        said = _ITEM.match(step.text)
        return thing_words(setting.things, thing) or (said.group(1) if said else f"the {name}")

    match step:
        case Press(button):
            return [action("press", {"item": words(button)}, first, last, used=button)]
        case Slide(drawer, opened):
            name = "open" if opened else "close"
            return [action(name, {"item": words(drawer)}, first, last, moved=drawer)]
        case Push(item, mat):
            name = "pull" if step.text.startswith("pull") else "push"
            return [action(name, {"item": words(item), "place": words(mat)}, first, last, moved=item)]
    item = step.item
    gripped = [moment for moment, reason in grasps if reason == f"grasp {item}" and first < moment < last]
    begin = gripped[-1] if gripped else first
    before = [action("pick-up", {"item": words(item)}, first, begin, used=item)] if gripped else []
    match step:
        case Put(_, place, relation) if relation:
            slots = {"item": words(item), "relation": relation, "place": words(place)}
            return [*before, action("put-beside", slots, begin, last, moved=item)]
        case Put(_, place):
            kind = next(each for each in setting.things if each.name == place).kind
            name = "put-in" if kind in ("box", "bowl", "drawer") else "put-on" if kind == "plate" else "stack"
            return [
                *before, action(name, {"item": words(item), "place": words(place)}, begin, last, moved=item)
            ]  # fmt: skip
        case Clear():
            return [*before, action("set-aside", {"item": words(item)}, begin, last, moved=item)]
        case PutAt(_, x, y):
            slots = {"item": words(item), "other": words(_owner(setting, item, x, y))}
            return [*before, action("put-back", slots, begin, last, moved=item)]
        case Screw(_, thread):
            kind = next(each for each in setting.things if each.name == thread).kind
            relation = "into" if kind == "socket" else "onto"
            slots = {"item": words(item), "relation": relation, "place": words(thread)}
            return [*before, action("screw", slots, begin, last, moved=item)]


def _owner(setting: Setting, item: str, x: float, y: float) -> str:
    """Whose place it was that the item is put at."""
    others = [thing for thing in setting.things if thing.name != item]
    return min(others, key=lambda thing: (thing.x - x) ** 2 + (thing.y - y) ** 2).name
