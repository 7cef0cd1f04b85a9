"""Tasks with objects and containers: pick, place, stack, push, pull, swap, sort.

Each fills a `Draw` with things and returns its steps and the words of its sentence.
"""

from itertools import pairwise
from math import hypot

import numpy as np

from kinesight.envs.tabletop_draw import Draw, Drawn, Rejected
from kinesight.envs.tabletop_language import describe, listed, paraphrased
from kinesight.envs.tabletop_layout import DIRECTIONS, REACH_X, REACH_Y, Thing
from kinesight.envs.tabletop_objects import GROCERIES, SHAPES
from kinesight.envs.tabletop_splits import SEEN_COLOURS, SEEN_GROCERIES, SEEN_SHAPES
from kinesight.envs.tabletop_steps import BESIDE_M, Clear, Push, Put, PutAt

ATTRIBUTES = ("colour", "shape", "size")
CATEGORIES = ("fruit", "vegetable", "package")
OPEN_BOXES = ("box", "bowl", "plate")


def target(d: Draw, size: str = "medium", colour: str = "", shape: str = "") -> Thing:
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


def named_item(d: Draw, item: Thing) -> str:
    """The object in the sentence's words."""
    return paraphrased(d.things, item, d.generator) if d.split.paraphrased else describe(d.things, item)


def pick_place(d: Draw) -> Drawn:
    """One object of several into one container of two."""
    place = _containers(d)[0]
    item = target(d, colour=d.choice)
    d.clutter(5, item)
    text = f"put {describe(d.things, item)} into {describe(d.things, place)}"
    return (Put(item.name, place.name, text=text),), {
        "item": named_item(d, item),
        "place": describe(d.things, place),
    }


def pick_attribute(d: Draw) -> Drawn:
    """The object that differs from its neighbours in one of colour, shape and size."""
    containers = _containers(d)
    place = containers[0]
    attribute = d.choice or d.pick(ATTRIBUTES)
    colour, shape = d.colour(container.colour for container in containers), d.shape()
    size = d.pick(("small", "large")) if attribute == "size" else "medium"
    item = target(d, size, colour, shape)
    others = {
        "colour": [d.thing(shape, c) for c in _different(d, SEEN_COLOURS, colour, 4)],
        "shape": [d.thing(s, colour) for s in _different(d, SEEN_SHAPES, shape, 4)],
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


def pick_relation(d: Draw) -> Drawn:
    """One of two equal objects, told apart by where it lies."""
    place = _containers(d, 1)[0]
    relation = d.choice or d.pick(tuple(DIRECTIONS))
    reference = d.add(d.thing(d.pick(SEEN_SHAPES), d.pick(SEEN_COLOURS)), clear_m=0.05)
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


def place_relation(d: Draw) -> Drawn:
    """An object to one side of another."""
    relation = d.choice or d.pick(tuple(DIRECTIONS))
    reference = d.add(d.thing(d.pick(SEEN_SHAPES), d.pick(SEEN_COLOURS)), gripped=True)
    x, y = DIRECTIONS[relation]
    distance = sum(BESIDE_M) / 2
    goal = reference.x + distance * x, reference.y + distance * y
    if not (REACH_X[0] < goal[0] < REACH_X[1] and REACH_Y[0] < goal[1] < REACH_Y[1]):
        raise Rejected("the goal is out of reach")
    d.keep_free((*goal, 0.065))
    item = target(d)
    d.clutter(4, item)
    named, other = describe(d.things, item), describe(d.things, reference)
    text = f"put {named} {relation} {other}"
    return (Put(item.name, reference.name, relation, text),), {
        "item": named_item(d, item), "relation": relation, "reference": other,
    }  # fmt: skip


STACKABLE = tuple(name for name, kind in SHAPES.items() if kind.stackable)


def stack(d: Draw) -> Drawn:
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
        for i, (below, above) in enumerate(pairwise(pile))
    )
    return steps, {
        "item": named_item(d, pile[1]), "place": names[0],
        "more": f" and {names[2]} on top of that" if count > 2 else "",
    }  # fmt: skip


def _slide(d: Draw, away: bool) -> Drawn:
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
        "item": named_item(d, item), "place": place,
    }  # fmt: skip


PUSHABLE = ("cube", "brick", "cylinder", "hexagon", "star", "cross", "mug")


def push(d: Draw) -> Drawn:
    """Away from the robot."""
    return _slide(d, away=True)


def pull(d: Draw) -> Drawn:
    """Towards the robot."""
    return _slide(d, away=False)


def put_groceries(d: Draw) -> Drawn:
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


def swap(d: Draw) -> Drawn:
    """Two objects change places, by way of a third place."""
    one = target(d, colour=d.choice)
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


def sort_groceries(d: Draw) -> Drawn:
    """Three groceries, each into the container of its category."""
    categories = [str(c) for c in d.generator.permutation(CATEGORIES)]
    kind, colours, steps, rules = d.pick(("box", "bowl")), [], [], []
    for category in categories:
        colours.append(d.pick(SEEN_COLOURS, colours))
        place = d.add(d.thing(kind, colours[-1]), clear_m=0.005)
        # Both groceries that are kept back are packages: the other categories come from the seen ones.
        members = [n for n in d.split.groceries if GROCERIES[n].category == category]
        members = members or [n for n in SEEN_GROCERIES if GROCERIES[n].category == category]
        item = d.add(d.thing(d.pick(members)), gripped=True, target=True)
        steps.append(Put(item.name, place.name, text=f"put the {item.name} into the {place.name}"))
        rules.append(f"the {category} into the {place.name}")
    return tuple(steps), {"rules": listed(rules)}
