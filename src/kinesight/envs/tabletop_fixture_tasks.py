"""Tasks with buttons, a drawer, jars and a lamp.

Each fills a `Draw` with things and returns its steps and the words of its sentence.
"""

from math import cos, sin

from kinesight.envs.tabletop_draw import TRIES, Draw, Drawn, Rejected
from kinesight.envs.tabletop_language import DIGIT_WORDS, ORDER_WORDS, describe, listed
from kinesight.envs.tabletop_layout import Thing
from kinesight.envs.tabletop_object_tasks import named_item, target
from kinesight.envs.tabletop_splits import SEEN_COLOURS
from kinesight.envs.tabletop_steps import Press, Put, Screw, Slide

DRAWER_SIDES = ("left", "right")
HANDLE_X, HANDLE_AT_Y, DRAWER_YAW_RAD = (-0.26, 0.26), (0.46, 0.68), (-1.5, 1.5)
"""Where the handle of a half open drawer lies and to which side it is turned: wherever a hand pushes, and to
whichever side, it shuts few of them."""
HALF_OPEN_M = 0.17
"""From a cabinet to that handle."""
DRAWER_X, DRAWER_Y = (-0.26, 0.26), (0.36, 0.60)
"""Where a cabinet may stand."""
ASIDE_M = 0.04
"""Least distance of a cabinet from the middle, where its side is fixed."""
GROUND = ((0.13, 0.105), (0.20, 0.105), (0.25, 0.06))
"""Distance before a cabinet and radius of what its drawer and the hand need."""


def _buttons(d: Draw, digits: tuple[int, ...], colour: str = "") -> list[Thing]:
    """Buttons of different colours with these digits; `colour` is the first one's."""
    colours = [colour] if colour else []
    while len(colours) < len(digits):
        colours.append(d.colour(colours))
    return [
        d.add(Thing(f"{colour} button", "button", colour, digit=digit))
        for colour, digit in zip(colours, digits, strict=True)
    ]


def press_buttons(d: Draw) -> Drawn:
    """One to two buttons in the order that is named; three in the long form."""
    digits = tuple(int(v) for v in d.generator.permutation(10)[:3])
    buttons = _buttons(d, digits, d.choice)
    count = 3 if d.split.long else 1 + int(d.chance())
    d.clutter(3)
    order = buttons[:count]
    steps = tuple(Press(button.name, f"press the {button.name}") for button in order)
    return steps, {"buttons": listed([f"the {button.name}" for button in order], ORDER_WORDS)}


def press_sum(d: Draw) -> Drawn:
    """The button whose digit answers a sum or a difference."""
    answer = int(d.generator.integers(10))
    others = [int(v) for v in d.generator.permutation(10) if v != answer][:2]
    add = d.choice == "sum" if d.choice else d.chance()
    one = int(d.generator.integers(answer + 1) if add else d.generator.integers(answer, 10))
    other = answer - one if add else one - answer
    button = _buttons(d, (answer, *others))[0]
    d.clutter(3)
    words = {"one": DIGIT_WORDS[one], "sign": "plus" if add else "minus", "other": DIGIT_WORDS[other]}
    text = f"press the {button.name}"
    return (Press(button.name, text),), words


def _drawer(d: Draw, opened: float, colour: str = "", side: str = "") -> Thing:
    """A cabinet, turned to any side but the robot's, and the ground before it kept free.

    With a colour it is called by it.
    """
    handle_x, handle_y, yaw = (
        float(d.generator.uniform(*bounds)) for bounds in (HANDLE_X, HANDLE_AT_Y, DRAWER_YAW_RAD)
    )
    x, y = handle_x + HALF_OPEN_M * sin(yaw), handle_y - HALF_OPEN_M * cos(yaw)
    if not (DRAWER_X[0] < x < DRAWER_X[1] and DRAWER_Y[0] < y < DRAWER_Y[1]):
        raise Rejected("the cabinet does not stand on the table")
    if side and (x if side == "left" else -x) < ASIDE_M:
        raise Rejected(f"the cabinet does not stand on the {side}")
    name = f"{colour} drawer" if colour else "drawer"
    drawer = Thing(name, "drawer", colour or d.pick(SEEN_COLOURS), x=x, y=y, yaw=yaw, opened=opened)
    ground = [(x - far * sin(yaw), y + far * cos(yaw), radius) for far, radius in GROUND]
    if not all(d.clear(disc) for disc in ((x, y, drawer.radius_m), *ground)):
        raise Rejected("two cabinets stand in each other's way")
    d.keep_free(*ground)
    return d.put(drawer)


def _two_drawers(d: Draw, opened_m: tuple[float, float]) -> Thing:
    """The one that the sentence names; another, of another colour, has to stay as it is."""
    colour = d.colour()
    named = _drawer(d, float(d.generator.uniform(*opened_m)), colour, d.choice)
    other = d.pick(SEEN_COLOURS, (colour,))
    for _ in range(TRIES):
        try:
            _drawer(d, float(d.generator.uniform(*opened_m)), other)
        except Rejected:
            continue
        d.clutter(4)
        return named
    raise Rejected("no room for another cabinet")


def open_drawer(d: Draw) -> Drawn:
    drawer = _two_drawers(d, (0.0, 0.03))
    return (Slide(drawer.name, True, f"open the {drawer.name}"),), {"place": f"the {drawer.name}"}


def close_drawer(d: Draw) -> Drawn:
    drawer = _two_drawers(d, (0.04, 0.12))
    return (Slide(drawer.name, False, f"close the {drawer.name}"),), {"place": f"the {drawer.name}"}


FITS_DRAWER = ("cube", "brick", "cylinder", "ball", "hexagon", "star", "cross")


def put_in_drawer(d: Draw) -> Drawn:
    """Open, put in, close; two objects in the long form."""
    drawer = _drawer(d, 0.0, side=d.choice)
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
    spoken = [named_item(d, item) for item in items]
    return steps, {"item": " and ".join(spoken)}


def close_jar(d: Draw) -> Drawn:
    """The one lid onto one of two jars."""
    colour = d.choice or d.colour()
    jar = d.add(d.thing("jar", colour), clear_m=0.03)
    d.add(d.thing("jar", d.pick(SEEN_COLOURS, (colour,))), clear_m=0.03)
    lid = d.add(d.thing("lid", "gray", name="lid"), gripped=True, target=True)
    d.clutter(3)
    return (Screw(lid.name, jar.name, f"screw the lid onto the {jar.name}"),), {"place": f"the {jar.name}"}


def screw_bulb(d: Draw) -> Drawn:
    """One of two bulbs into the lamp."""
    socket = d.add(d.thing("socket", name="lamp"), clear_m=0.01)
    bulb = target(d, colour=d.choice, shape="bulb")
    d.add(d.thing("bulb", d.pick(SEEN_COLOURS, (bulb.colour,))), gripped=True)
    d.clutter(3)
    text = f"screw the {bulb.name} into the lamp"
    return (Screw(bulb.name, socket.name, text),), {"item": f"the {bulb.name}"}
