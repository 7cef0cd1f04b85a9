"""The sentences: templates seen in training, other ones kept back, and words for one object among others."""

from collections.abc import Mapping, Sequence
from math import hypot

import numpy as np

from kinesight.envs.tabletop_draw import Rejected
from kinesight.envs.tabletop_layout import Thing
from kinesight.types.errors import lookup

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ORDER_WORDS = ("", ", then ", ", then ")
APART_M = 0.03
"""By so much an object must be further left, nearer, … than every other to be called the leftmost, …"""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "pick-place": ("put {item} into {place}", "place {item} in {place}", "move {item} to {place}"),
    "pick-attribute": ("put {item} into {place}", "place {item} in {place}", "move {item} to {place}"),
    "pick-relation": (
        "put {item} that is {relation} {reference} into {place}",
        "take {item} {relation} {reference} and place it in {place}",
    ),
    "place-relation": ("put {item} {relation} {reference}", "place {item} {relation} {reference}"),
    "stack": ("stack {item} on {place}{more}", "put {item} on top of {place}{more}"),
    "push": ("push {item} onto {place}", "slide {item} forward onto {place}"),
    "pull": ("pull {item} onto {place}", "drag {item} back onto {place}"),
    "press-buttons": ("press {buttons}", "push {buttons}"),
    "press-sum": (
        "press the button that shows {one} {sign} {other}",
        "what is {one} {sign} {other}? press that button",
    ),
    "open-drawer": ("open {place}", "pull {place} open"),
    "close-drawer": ("close {place}", "push {place} shut"),
    "put-in-drawer": (
        "put {item} into the drawer and close it",
        "open the drawer, put {item} inside and close the drawer",
    ),
    "put-groceries": ("put {item} into {place}", "put {item} away in {place}"),
    "swap": ("swap {one} and {other}", "let {one} and {other} change places"),
    "sort-groceries": ("sort the groceries: {rules}", "put {rules}"),
    "close-jar": ("close {place}", "screw the lid onto {place}"),
    "screw-bulb": ("screw {item} into the lamp", "put {item} into the lamp and turn it tight"),
}
"""Task -> templates of the sentence in training."""

PARAPHRASES: dict[str, tuple[str, ...]] = {
    "pick-place": ("{place} is where {item} belongs", "i would like to find {item} in {place}"),
    "pick-attribute": ("{place} is where {item} belongs", "i would like to find {item} in {place}"),
    "pick-relation": (
        "{place} should hold {item}, the one lying {relation} {reference}",
        "look {relation} {reference}: there is {item}; it goes into {place}",
    ),
    "place-relation": (
        "{item} should end up {relation} {reference}",
        "let {item} stand {relation} {reference}",
    ),
    "stack": ("build a tower: {place} below, {item} above it{more}", "{item} belongs on {place}{more}"),
    "push": ("without lifting it, get {item} over to {place}", "{place} is where {item} should slide to"),
    "pull": ("without lifting it, bring {item} back to {place}", "{place} is where {item} should slide to"),
    "press-buttons": ("your finger should visit {buttons}", "i need {buttons} pushed down"),
    "press-sum": (
        "one button answers {one} {sign} {other}: use it",
        "solve {one} {sign} {other} by a button press",
    ),
    "open-drawer": ("i want to see what is inside {place}", "{place} should not stay shut"),
    "close-drawer": ("nobody should look into {place}", "{place} should not stay open"),
    "put-in-drawer": ("hide {item} in the drawer", "{item} should vanish in the shut drawer"),
    "put-groceries": ("{place} is still lacking {item}", "tidy up: {item} belongs in {place}"),
    "swap": ("{one} wants the place of {other}, and the other way round", "exchange {one} with {other}"),
    "close-jar": ("nothing should spill out of {place}", "the lid is missing on {place}"),
    "screw-bulb": ("the lamp is dark: it needs {item}", "let {item} light up the lamp"),
    "sort-groceries": ("everything in its place: {rules}", "tidy up so that {rules} are gone"),
}
"""Task -> templates of split unseen-instructions."""

LOOKS_LIKE: dict[str, str] = {
    "cube": "thing with six equal faces",
    "brick": "long rectangular thing",
    "cylinder": "round flat-topped thing",
    "ball": "thing that could roll anywhere",
    "hexagon": "six-sided nut",
    "star": "thing with eight points",
    "cross": "plus-shaped thing",
    "mug": "thing to drink coffee from",
    "bottle": "thing with a narrow neck",
    "apple": "red fruit with a stem",
    "banana": "long bent fruit",
    "lemon": "sour yellow fruit",
    "carrot": "orange root",
    "tomato": "red vegetable",
    "cucumber": "long green vegetable",
    "soup can": "metal can",
    "milk carton": "drink from a cow",
    "cracker box": "box of biscuits",
}
"""Kind -> words that avoid its name."""


def sentence(task: str, words: Mapping[str, str], generator: np.random.Generator, kept_back: bool) -> str:
    templates = lookup("task with sentences", task, PARAPHRASES if kept_back else TEMPLATES)
    return templates[int(generator.integers(len(templates)))].format(**words)


def describe(things: Sequence[Thing], thing: Thing) -> str:
    """The shortest of kind, colour and kind, size with both, that fits this thing only."""
    for attributes in (("kind", "colour"), ("kind", "colour", "size")):
        if not thing.colour:
            attributes = ("kind",)
        fitting = [o for o in things if all(getattr(o, a) == getattr(thing, a) for a in attributes)]
        if len(fitting) == 1:
            size = thing.size if "size" in attributes and thing.size != "medium" else ""
            return " ".join(word for word in ("the", size, thing.colour, thing.kind) if word)
    raise Rejected(f"no words fit {thing.name!r} only")


def paraphrased(things: Sequence[Thing], thing: Thing, generator: np.random.Generator) -> str:
    """By relation only where the layout allows and the generator says so, otherwise by attributes only."""
    by_relation = _place_words(things, thing)
    if by_relation and generator.random() < 0.5:
        return by_relation
    alike = [other for other in things if other.kind == thing.kind and other.colour == thing.colour]
    if len(alike) > 1:
        raise Rejected(f"no attribute tells {thing.name!r} apart")
    return " ".join(word for word in ("the", thing.colour, LOOKS_LIKE[thing.kind]) if word)


def _place_words(things: Sequence[Thing], thing: Thing) -> str:
    """ "the object furthest to the left", "the object closest to the red mug", or "" """
    others = [other for other in things if other.type.movable and other.name != thing.name]
    for words, x, y in (
        ("furthest to the left", 1, 0),
        ("furthest to the right", -1, 0),
        ("nearest to the camera", 0, 1),
        ("nearest to the robot", 0, -1),
    ):
        if all((thing.x - o.x) * x + (thing.y - o.y) * y > APART_M for o in others):
            return f"the object {words}"
    for other in others:
        distance = hypot(thing.x - other.x, thing.y - other.y)
        rivals = [hypot(o.x - other.x, o.y - other.y) for o in others if o.name != other.name]
        if distance + APART_M < min(rivals, default=np.inf):
            try:
                return f"the object closest to {describe(things, other)}"
            except Rejected:
                continue
    return ""


def listed(words: Sequence[str], joints: Sequence[str] | None = None) -> str:
    """ "a, b and c", or with the joints given before each but the first."""
    if joints is None:
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return words[0] + "".join(f"{joint}{word}" for joint, word in zip(joints[1:], words[1:], strict=False))
