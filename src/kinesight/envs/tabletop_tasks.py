"""The tasks: what is drawn for a case, its sentence, and the steps that count.

A task is a function that fills a `Draw` with things and returns its steps and the words of its sentence.
`draw(case)` repeats it until a layout is solvable and its sentence fits one object only; the number of
rejected layouts is kept. Variation 0 leaves everything to the seed; variation k fixes the task's k-th choice
in `CHOICES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np

from kinesight.envs.tabletop_draw import Draw, Rejected
from kinesight.envs.tabletop_incidents import Incident, draw_incident
from kinesight.envs.tabletop_language import (
    DIGIT_WORDS,
    ORDER_WORDS,
    describe,
    listed,
    paraphrased,
    sentence,
)
from kinesight.envs.tabletop_layout import DIRECTIONS, REACH_X, REACH_Y, Thing
from kinesight.envs.tabletop_objects import COLOURS, GROCERIES, SHAPES
from kinesight.envs.tabletop_splits import SEEN_COLOURS, SEEN_GROCERIES, split
from kinesight.envs.tabletop_steps import BESIDE_M, Clear, Press, Push, Put, PutAt, Screw, Slide, Step
from kinesight.types.case import Case
from kinesight.types.errors import KinesightError, UsageError, lookup

ATTEMPTS = 300
"""Layouts that are drawn before a case counts as impossible."""
CATEGORIES = ("fruit", "vegetable", "package")
OPEN_BOXES = ("box", "bowl", "plate")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a case has fixed."""

    things: tuple[Thing, ...]
    instruction: str
    steps: tuple[Step, ...]
    look: str
    incident: Incident | None = None
    rejected: int = 0
    """Layouts that were drawn before this one and given up."""


Words = Mapping[str, str]
Task = Callable[[Draw], tuple[tuple[Step, ...], Words]]


def draw(case: Case) -> Setting:
    """Everything about a case that does not move by itself; the same on every machine."""
    task = lookup("tabletop task", case.task, TASKS)
    kept = split(case.split)
    if case.task not in (can := SPLIT_TASKS.get(case.split, tuple(TASKS))):
        raise UsageError(f"{case.task!r} has no split {case.split!r}; it exists for {', '.join(can)}.")
    entropy = [int.from_bytes(text.encode(), "little") for text in (case.task, case.split or "train")]
    generator = np.random.default_rng(np.random.SeedSequence([*entropy, case.seed, case.variation]))
    choice = _choice(case)
    for rejected in range(ATTEMPTS):
        attempt = Draw(generator, kept, choice)
        look = attempt.pick(kept.looks)
        try:
            steps, words = task(attempt)
            text = sentence(case.task, words, generator, kept.paraphrased)
            incident = draw_incident(kept.incident, attempt, steps)
        except Rejected:
            continue
        return Setting(tuple(attempt.things), text, steps, look, incident, rejected)
    raise KinesightError(f"{case}: {ATTEMPTS} layouts were drawn and none can be solved.")


def _choice(case: Case) -> str:
    choices = CHOICES[case.task]
    if not 0 <= case.variation <= len(choices):
        named = ", ".join(f"{index} {choice}" for index, choice in enumerate(choices, 1)) or "no others"
        raise UsageError(f"Unknown variation {case.variation} of {case.task!r}. There are: 0 any, {named}.")
    return choices[case.variation - 1] if case.variation else ""


def _target(d: Draw, size: str = "medium", colour: str = "", shape: str = "") -> Thing:
    """An object that the sentence names, at its place."""
    return d.add(d.thing(shape or d.shape(), colour or d.colour(), size), gripped=True, target=True)


def _containers(d: Draw, count: int = 2) -> list[Thing]:
    """Of one kind and different colours, so that only the colour tells them apart."""
    kind, taken, found = d.pick(OPEN_BOXES), [], []
    for _ in range(count):
        colour = d.pick(SEEN_COLOURS, taken)
        taken.append(colour)
        found.append(d.add(d.thing(kind, colour), clear_m=0.01))
    return found


def _named(d: Draw, item: Thing) -> str:
    """The object in the sentence's words."""
    return paraphrased(d.things, item, d.generator) if d.split.paraphrased else describe(d.things, item)


def pick_place(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """One object of several into one container of two."""
    place = _containers(d)[0]
    item = _target(d, colour=d.choice)
    d.clutter(5, item)
    text = f"put {describe(d.things, item)} into {describe(d.things, place)}"
    return (Put(item.name, place.name, text=text),), {
        "item": _named(d, item),
        "place": describe(d.things, place),
    }


def pick_attribute(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """The object that differs from its neighbours in one of colour, shape and size."""
    containers = _containers(d)
    place = containers[0]
    attribute = d.choice or d.pick(ATTRIBUTES)
    colour, shape = d.colour(container.colour for container in containers), d.shape()
    size = d.pick(("small", "large")) if attribute == "size" else "medium"
    item = _target(d, size, colour, shape)
    others = {
        "colour": [d.thing(shape, c) for c in _different(d, SEEN_COLOURS, colour, 4)],
        "shape": [d.thing(s, colour) for s in _different(d, tuple(SHAPES), shape, 4)],
        "size": [
            d.thing(shape, colour, "large" if size == "small" else "small"),
            *(d.thing(shape, c, size) for c in _different(d, SEEN_COLOURS, colour, 2)),
        ],
    }[attribute]
    for thing in others:
        d.add(thing, gripped=True)
    words = {
        "colour": f"the {colour} object",
        "shape": f"the {shape}",
        "size": f"the {size} {colour} {shape}",
    }
    named = paraphrased(d.things, item, d.generator) if d.split.paraphrased else words[attribute]
    text = f"put {describe(d.things, item)} into {describe(d.things, place)}"
    return (Put(item.name, place.name, text=text),), {"item": named, "place": describe(d.things, place)}


def _different(d: Draw, options: tuple[str, ...], but: str, count: int) -> list[str]:
    left = [option for option in options if option != but]
    return [str(option) for option in d.generator.permutation(left)[:count]]


def pick_relation(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """One of two equal objects, told apart by where it lies."""
    place = _containers(d, 1)[0]
    relation = d.choice or d.pick(tuple(DIRECTIONS))
    reference = d.add(d.thing(d.pick(tuple(SHAPES)), d.pick(SEEN_COLOURS)), clear_m=0.05)
    colour, shape = d.colour(), d.shape((reference.kind,))
    item = d.add(d.thing(shape, colour, name=f"{colour} {shape} 1"), gripped=True, target=True)
    double = d.add(d.thing(shape, colour, name=f"{colour} {shape} 2"), gripped=True)
    if not _lies(item, relation, reference) or _lies(double, relation, reference, margin=-0.03):
        raise Rejected("the relation does not single out one of the two")
    d.clutter(2)
    named = f"the {colour} {shape} that is {relation} {describe(d.things, reference)}"
    text = f"put {named} into {describe(d.things, place)}"
    return (Put(item.name, place.name, text=text),), {
        "item": f"the {colour} {shape}", "relation": relation,
        "reference": describe(d.things, reference), "place": describe(d.things, place),
    }  # fmt: skip


def _lies(item: Thing, relation: str, reference: Thing, margin: float = 0.04) -> bool:
    x, y = DIRECTIONS[relation]
    return (item.x - reference.x) * x + (item.y - reference.y) * y > margin


def place_relation(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """An object to one side of another."""
    relation = d.choice or d.pick(tuple(DIRECTIONS))
    reference = d.add(d.thing(d.pick(tuple(SHAPES)), d.pick(SEEN_COLOURS)), gripped=True)
    x, y = DIRECTIONS[relation]
    distance = sum(BESIDE_M) / 2
    goal = reference.x + distance * x, reference.y + distance * y
    if not (REACH_X[0] < goal[0] < REACH_X[1] and REACH_Y[0] < goal[1] < REACH_Y[1]):
        raise Rejected("the goal is out of reach")
    d.keep_free((*goal, 0.065))
    item = _target(d)
    d.clutter(4, item)
    named, other = describe(d.things, item), describe(d.things, reference)
    text = f"put {named} {relation} {other}"
    return (Put(item.name, reference.name, relation, text),), {
        "item": _named(d, item), "relation": relation, "reference": other,
    }  # fmt: skip


STACKABLE = tuple(name for name, kind in SHAPES.items() if kind.stackable)


def stack(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """One flat object on another; three in the long form."""
    count = 3 if d.split.long else 2
    shapes = tuple(s for s in d.split.shapes if s in STACKABLE)
    colours: list[str] = []
    pile: list[Thing] = []
    for index in range(count):
        colour = d.choice if d.choice and index == count - 1 else d.colour((*colours, d.choice))
        colours.append(colour)
        size = "large" if index == 0 else "medium"
        kind = "cube" if index == 0 else d.pick(shapes)
        pile.append(d.add(d.thing(kind, colour, size), gripped=True, target=True))
    d.clutter(4 - d.split.long, pile[-1])
    names = [describe(d.things, thing) for thing in pile]
    steps = tuple(
        Put(above.name, below.name, text=f"put {names[i + 1]} on {names[i]}")
        for i, (below, above) in enumerate(zip(pile, pile[1:], strict=False))
    )
    return steps, {
        "item": _named(d, pile[1]), "place": names[0],
        "more": f" and {names[2]} on top of that" if count > 2 else "",
    }  # fmt: skip


def _slide(d: Draw, away: bool) -> tuple[tuple[Step, ...], Words]:
    """An object that stands in line with a mat; nothing lies between."""
    colour = d.pick(SEEN_COLOURS)
    other = d.pick(SEEN_COLOURS, (colour,))
    shift = d.generator.uniform(0.15, 0.19)
    low, high = REACH_Y
    x = float(d.generator.uniform(REACH_X[0] + 0.05, REACH_X[1] - 0.05))
    y = float(d.generator.uniform(low + 0.06, high - shift - 0.01))
    start, end = (y, y + shift) if away else (y + shift, y)
    sideways = float(d.generator.uniform(-0.06, 0.06))
    mat = d.put(d.thing("mat", colour).at(float(np.clip(x + sideways, *REACH_X)), end))
    shape = d.pick(tuple(s for s in d.split.shapes if s in PUSHABLE))
    yaw = float(d.generator.uniform(*d.split.yaw_rad)) * (1 if d.chance() else -1)
    item = d.put(d.thing(shape, d.choice or d.colour((colour,))).at(x, start, yaw), gripped=True)
    behind = start + (-0.07 if away else 0.07)
    steps = np.linspace(0, 1, 5)
    d.keep_free(*((x + s * (mat.x - x), behind + s * (end - behind), 0.062) for s in steps))
    d.add(d.thing("mat", other))
    d.clutter(4, item)
    named, place = describe(d.things, item), describe(d.things, mat)
    verb = "push" if away else "pull"
    return (Push(item.name, mat.name, f"{verb} {named} onto {place}"),), {
        "item": _named(d, item), "place": place,
    }  # fmt: skip


PUSHABLE = ("cube", "brick", "cylinder", "hexagon", "star", "cross", "mug")


def push(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """Away from the robot."""
    return _slide(d, away=True)


def pull(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """Towards the robot."""
    return _slide(d, away=False)


def _buttons(d: Draw, digits: tuple[int, ...], colour: str = "") -> list[Thing]:
    """Buttons of different colours with these digits; `colour` is the first one's."""
    colours = [colour] if colour else []
    while len(colours) < len(digits):
        colours.append(d.colour(colours))
    return [
        d.add(Thing(f"{colour} button", "button", colour, digit=digit))
        for colour, digit in zip(colours, digits, strict=True)
    ]


def press_buttons(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """One to two buttons in the order that is named; three in the long form."""
    digits = tuple(int(v) for v in d.generator.permutation(10)[:3])
    buttons = _buttons(d, digits, d.choice)
    count = 3 if d.split.long else 1 + int(d.chance())
    d.clutter(3)
    order = buttons[:count]
    steps = tuple(Press(button.name, f"press the {button.name}") for button in order)
    return steps, {"buttons": listed([f"the {button.name}" for button in order], ORDER_WORDS)}


def press_sum(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """The button whose digit answers a sum or a difference."""
    answer = int(d.generator.integers(10))
    others = [int(v) for v in d.generator.permutation(10) if v != answer][:2]
    if d.choice:
        add = d.choice == "sum"
    else:
        add = d.chance()
    one = int(d.generator.integers(answer + 1) if add else d.generator.integers(answer, 10))
    other = answer - one if add else one - answer
    button = _buttons(d, (answer, *others))[0]
    d.clutter(3)
    words = {"one": DIGIT_WORDS[one], "sign": "plus" if add else "minus", "other": DIGIT_WORDS[other]}
    text = f"press the {button.name}"
    return (Press(button.name, text),), words


def _drawer(d: Draw, opened: float) -> Thing:
    """The cabinet at the robot's side of the table, the ground in front of it kept free."""
    if d.choice in DRAWER_SIDES:
        x = d.generator.uniform(0.10, 0.20) * (1 if d.choice == "left" else -1)
    else:
        x = d.generator.uniform(-0.20, 0.20)
    drawer = Thing("drawer", "drawer", d.pick(SEEN_COLOURS), x=float(x), y=0.40, opened=opened)
    d.keep_free((drawer.x, 0.53, 0.105), (drawer.x, 0.60, 0.105), (drawer.x, 0.65, 0.06))
    return d.put(drawer)


def open_drawer(d: Draw) -> tuple[tuple[Step, ...], Words]:
    drawer = _drawer(d, float(d.generator.uniform(0.0, 0.03)))
    d.clutter(5)
    return (Slide(drawer.name, True, "open the drawer"),), {}


def close_drawer(d: Draw) -> tuple[tuple[Step, ...], Words]:
    drawer = _drawer(d, float(d.generator.uniform(0.06, 0.12)))
    d.clutter(5)
    return (Slide(drawer.name, False, "close the drawer"),), {}


FITS_DRAWER = ("cube", "brick", "cylinder", "ball", "hexagon", "star", "cross")


def put_in_drawer(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """Open, put in, close; two objects in the long form."""
    drawer = _drawer(d, 0.0)
    shapes = tuple(s for s in d.split.shapes if s in FITS_DRAWER)
    items = [
        d.add(d.thing(d.pick(shapes), d.colour()), gripped=True, target=True) for _ in range(1 + d.split.long)
    ]
    d.clutter(4, items[0])
    names = [describe(d.things, item) for item in items]
    steps = (
        Slide(drawer.name, True, "open the drawer"),
        *(
            Put(item.name, drawer.name, text=f"put {n} into the drawer")
            for item, n in zip(items, names, strict=True)
        ),
        Slide(drawer.name, False, "close the drawer"),
    )
    spoken = [_named(d, item) for item in items]
    return steps, {"item": " and ".join(spoken)}


def put_groceries(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """One of nine groceries into the box; three of them in the long form."""
    box = d.add(d.thing("box", d.pick(SEEN_COLOURS)), clear_m=0.01)
    count = 3 if d.split.long else 1
    names: list[str] = [d.choice] if d.choice else []
    while len(names) < count:
        names.append(d.pick(d.split.groceries, names))
    for name in names:
        d.add(d.thing(name), gripped=True, target=True)
    for _ in range(6 - count):
        other = d.pick(SEEN_GROCERIES, {thing.name for thing in d.things})
        d.add(d.thing(other), gripped=d.split.incident == "new-instruction")
    place = describe(d.things, box)
    steps = tuple(Put(name, box.name, text=f"put the {name} into {place}") for name in names)
    named = [paraphrased(d.things, d.things[1 + i], d.generator) if d.split.paraphrased else f"the {name}"
             for i, name in enumerate(names)]  # fmt: skip
    return steps, {"item": listed(named), "place": place}


def swap(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """Two objects change places, by way of a third place."""
    one = _target(d, colour=d.choice)
    other = d.add(d.thing(d.shape(), d.colour((one.colour,))), gripped=True, target=True)
    if hypot(one.x - other.x, one.y - other.y) < 0.14:
        raise Rejected("the two lie too near to tell their places apart")
    d.clutter(3, one)
    for _ in range(60):
        x, y = float(d.generator.uniform(*REACH_X)), float(d.generator.uniform(*REACH_Y))
        if d.fits(x, y, 0.075):
            break
    else:
        raise Rejected("no room to set one of them aside")
    first, second = describe(d.things, one), describe(d.things, other)
    steps = (
        Clear(one.name, one.x, one.y, x, y, f"set {first} aside"),
        PutAt(other.name, one.x, one.y, f"put {second} where {first} was"),
        PutAt(one.name, other.x, other.y, f"put {first} where {second} was"),
    )
    return steps, {"one": first, "other": second}


def sort_groceries(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """Three groceries, each into the container of its category."""
    categories = [str(c) for c in d.generator.permutation(CATEGORIES)]
    kind, colours, steps, rules = d.pick(("box", "bowl")), [], [], []
    for category in categories:
        colours.append(d.pick(SEEN_COLOURS, colours))
        place = d.add(d.thing(kind, colours[-1]), clear_m=0.005)
        members = tuple(n for n in d.split.groceries if GROCERIES[n].category == category)
        item = d.add(d.thing(d.pick(members)), gripped=True, target=True)
        steps.append(Put(item.name, place.name, text=f"put the {item.name} into the {place.name}"))
        rules.append(f"the {category} into the {place.name}")
    return tuple(steps), {"rules": listed(rules)}


def close_jar(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """The one lid onto one of two jars."""
    colour = d.choice or d.colour()
    jar = d.add(d.thing("jar", colour), clear_m=0.03)
    d.add(d.thing("jar", d.pick(SEEN_COLOURS, (colour,))), clear_m=0.03)
    lid = d.add(d.thing("lid", "gray", name="lid"), gripped=True, target=True)
    d.clutter(3)
    return (Screw(lid.name, jar.name, f"screw the lid onto the {jar.name}"),), {"place": f"the {jar.name}"}


def screw_bulb(d: Draw) -> tuple[tuple[Step, ...], Words]:
    """One of two bulbs into the lamp."""
    socket = d.add(d.thing("socket", name="lamp"), clear_m=0.01)
    bulb = _target(d, colour=d.choice, shape="bulb")
    d.add(d.thing("bulb", d.pick(SEEN_COLOURS, (bulb.colour,))), gripped=True)
    d.clutter(3)
    text = f"screw the {bulb.name} into the lamp"
    return (Screw(bulb.name, socket.name, text),), {"item": f"the {bulb.name}"}


TASKS: dict[str, Task] = {
    "pick-place": pick_place,
    "pick-attribute": pick_attribute,
    "pick-relation": pick_relation,
    "place-relation": place_relation,
    "stack": stack,
    "push": push,
    "pull": pull,
    "press-buttons": press_buttons,
    "press-sum": press_sum,
    "open-drawer": open_drawer,
    "close-drawer": close_drawer,
    "put-in-drawer": put_in_drawer,
    "put-groceries": put_groceries,
    "swap": swap,
    "sort-groceries": sort_groceries,
    "close-jar": close_jar,
    "screw-bulb": screw_bulb,
}
SPLIT_TASKS: dict[str, tuple[str, ...]] = {
    "long-horizon": ("stack", "press-buttons", "put-in-drawer", "put-groceries"),
    "interference": (
        "pick-place", "pick-attribute", "put-in-drawer", "put-groceries", "sort-groceries",
        "close-jar", "screw-bulb",
    ),
    "new-instruction": ("pick-place", "put-groceries"),
}  # fmt: skip
"""Splits that only some tasks have."""
ATTRIBUTES = ("colour", "shape", "size")
DRAWER_SIDES = ("left", "right")
_COLOURS = tuple(COLOURS)
CHOICES: dict[str, tuple[str, ...]] = {
    "pick-place": _COLOURS,
    "pick-attribute": ATTRIBUTES,
    "pick-relation": tuple(DIRECTIONS),
    "place-relation": tuple(DIRECTIONS),
    "stack": _COLOURS,
    "push": _COLOURS,
    "pull": _COLOURS,
    "press-buttons": _COLOURS,
    "press-sum": ("sum", "difference"),
    "open-drawer": DRAWER_SIDES,
    "close-drawer": DRAWER_SIDES,
    "put-in-drawer": DRAWER_SIDES,
    "put-groceries": tuple(GROCERIES),
    "swap": _COLOURS,
    "sort-groceries": (),
    "close-jar": _COLOURS,
    "screw-bulb": _COLOURS,
}
"""Task -> what its variations 1, 2, … fix: the first named object's colour or name, a relation, a side."""
TASK_SETS: dict[str, tuple[str, ...]] = {
    "all": tuple(TASKS),
    "pick": ("pick-place", "pick-attribute", "pick-relation"),
    "short": tuple(name for name in TASKS if name not in ("put-in-drawer", "swap", "sort-groceries")),
}
