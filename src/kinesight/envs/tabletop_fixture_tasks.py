"""Tasks with buttons, a drawer, jars and a lamp.

Each fills a `Draw` with things and returns its steps and the words of its sentence.
"""

from kinesight.envs.tabletop_draw import Draw, Drawn
from kinesight.envs.tabletop_language import DIGIT_WORDS, ORDER_WORDS, describe, listed
from kinesight.envs.tabletop_layout import Thing
from kinesight.envs.tabletop_object_tasks import named_item, target
from kinesight.envs.tabletop_splits import SEEN_COLOURS
from kinesight.envs.tabletop_steps import Press, Put, Screw, Slide

DRAWER_SIDES = ("left", "right")


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


def _drawer(d: Draw, opened: float) -> Thing:
    """The cabinet at the robot's side of the table, the ground in front of it kept free."""
    if d.choice in DRAWER_SIDES:
        x = d.generator.uniform(0.10, 0.20) * (1 if d.choice == "left" else -1)
    else:
        x = d.generator.uniform(-0.20, 0.20)
    drawer = Thing("drawer", "drawer", d.pick(SEEN_COLOURS), x=float(x), y=0.40, opened=opened)
    d.keep_free((drawer.x, 0.53, 0.105), (drawer.x, 0.60, 0.105), (drawer.x, 0.65, 0.06))
    return d.put(drawer)


def open_drawer(d: Draw) -> Drawn:
    drawer = _drawer(d, float(d.generator.uniform(0.0, 0.03)))
    d.clutter(5)
    return (Slide(drawer.name, True, "open the drawer"),), {}


def close_drawer(d: Draw) -> Drawn:
    drawer = _drawer(d, float(d.generator.uniform(0.06, 0.12)))
    d.clutter(5)
    return (Slide(drawer.name, False, "close the drawer"),), {}


FITS_DRAWER = ("cube", "brick", "cylinder", "ball", "hexagon", "star", "cross")


def put_in_drawer(d: Draw) -> Drawn:
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
