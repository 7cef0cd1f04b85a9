"""What else could be done in a scene, and what could not, in words.

Made for the table-top, whose cases say what stands where. In other environments nothing is known about it,
and the lists are empty. Possible are actions with things that the task leaves alone: an object with room
for the fingers into a container, a button, the drawer. They are no part of the task; none of them undoes or
blocks a step, as no step's object or place is touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot

from kinesight.envs.tabletop_draw import GRIP_SPAN_M, Rejected
from kinesight.envs.tabletop_fixtures import CONTAINERS
from kinesight.envs.tabletop_kinds import COLOURS
from kinesight.envs.tabletop_language import describe
from kinesight.envs.tabletop_layout import Thing
from kinesight.envs.tabletop_objects import CAPS, GROCERIES, SHAPES
from kinesight.envs.tabletop_tasks import draw
from kinesight.types.case import Case

OPEN_CONTAINERS = ("box", "bowl", "plate")


@dataclass(frozen=True, slots=True)
class WrongAction:
    """A command that names something that is not there."""

    text: str
    thing: str
    """What is missing, without an article."""


@dataclass(frozen=True, slots=True)
class SceneActions:
    """Of one scene and one task."""

    possible: tuple[str, ...] = ()
    wrong: tuple[WrongAction, ...] = ()
    alike: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Kinds of which there are several -> each of them in words that fit it only."""


def scene_actions(case: Case, steps: Sequence[str]) -> SceneActions:
    """For the layout at the start of the case; `steps` are the task's own sentences."""
    if case.env != "tabletop":
        return SceneActions()
    things = draw(case).things
    return SceneActions(
        possible=tuple(text for text in _possible(things) if not _touches(text, steps)),
        wrong=tuple(_wrong(things, steps)),
        alike=tuple(_alike(things)),
    )


def _possible(things: Sequence[Thing]) -> Iterable[str]:
    places = [thing for thing in things if thing.kind in OPEN_CONTAINERS]
    for thing in things:
        if thing.kind == "button":
            yield f"press the {thing.name}"
        elif thing.type.movable and thing.kind not in CAPS and _has_room(thing, things):
            for place in places:
                try:
                    yield f"put {describe(things, thing)} into {describe(things, place)}"
                except Rejected:  # no words fit only one of them
                    continue


def _has_room(thing: Thing, things: Sequence[Thing]) -> bool:
    """Whether the open fingers meet nothing else."""
    return all(
        hypot(thing.x - other.x, thing.y - other.y) >= GRIP_SPAN_M + other.radius_m
        for other in things
        if other is not thing
    )


def _touches(text: str, steps: Sequence[str]) -> bool:
    """Whether an action moves what a step speaks of; a container may take several things."""
    item = text.partition(" into ")[0].removeprefix("put ").removeprefix("press ")
    return any(item in step for step in steps)


def _wrong(things: Sequence[Thing], steps: Sequence[str]) -> Iterable[WrongAction]:
    """Absent objects for present places, absent fixtures."""
    present = {(thing.colour, thing.kind) for thing in things}
    kinds = {thing.kind for thing in things}
    places = [place for thing in things if thing.kind in OPEN_CONTAINERS for place in [f"the {thing.name}"]]
    ends = [f" into {place}" for place in places] or [" aside"]
    for number, (kind, colour) in enumerate((kind, colour) for kind in SHAPES for colour in COLOURS):
        if (colour, kind) not in present:
            thing = f"{colour} {kind}"
            verb = "set" if ends == [" aside"] else "put"
            yield WrongAction(f"{verb} the {thing}{ends[number % len(ends)]}", thing)
    for name in GROCERIES:
        if name not in kinds and places:
            yield WrongAction(f"put the {name} into {places[0]}", name)
    if "drawer" not in kinds:
        yield WrongAction("open the drawer", "drawer")
    for colour in COLOURS:
        if (colour, "button") not in present:
            yield WrongAction(f"press the {colour} button", f"{colour} button")
    for kind in CONTAINERS:
        for colour in COLOURS:
            if kind in OPEN_CONTAINERS and (colour, kind) not in present:
                item = next(
                    (t for t in things if t.type.movable and f"the {t.name}" in " ".join(steps)), None
                )
                if item is not None:
                    yield WrongAction(f"put the {item.name} into the {colour} {kind}", f"{colour} {kind}")


def _alike(things: Sequence[Thing]) -> Iterable[tuple[str, tuple[str, ...]]]:
    movable = [thing for thing in things if thing.type.movable]
    for kind in dict.fromkeys(thing.kind for thing in movable):
        try:
            words = tuple(describe(things, thing) for thing in movable if thing.kind == kind)
        except Rejected:
            continue
        if len(words) > 1:
            yield kind, words
