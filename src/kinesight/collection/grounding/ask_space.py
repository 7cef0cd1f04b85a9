"""Records about space: sides, supports, neighbours, directions, numbers, depths along the gripper's path."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kinesight.collection.grounding.ask_places import SIDE_WORDS
from kinesight.collection.grounding.phrases import capital, phrase, plural
from kinesight.collection.grounding.scene import GRIPPER, ThingFacts
from kinesight.collection.grounding.sight import Draft, Sight, flat, picture_path
from kinesight.geometry.spatial_relations import SIDES, is_in, is_on, nearest, side, viewer_axes
from kinesight.types.ground import ChoiceAnswer, MetresAnswer, OffsetsAnswer

ON_TABLE_M = 0.012
HELD_M = 0.06
"""Distance of the gripper's centre from the thing between its fingers."""
CLEAR_ANGLE_DEG = 13.0
"""A direction is said where it is that near to one of its names."""
MOST_COUNTED = 5
DIRECTIONS = (
    "from left to right",
    "from front left to back right",
    "from front to back",
    "from front right to back left",
)
"""At 0, 45, 90 and 135 degrees from the viewer's right towards the far side."""
BETWEEN = ("parallel", "at 45 degrees", "at right angles")
ON_THE_TABLE, HELD = "the table", "the gripper"


def relations(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    standing = [fact for fact in sight.named if _support(sight, fact) == ON_THE_TABLE]
    drafts: list[Draft] = []
    for index in generator.permutation(len(standing) ** 2).tolist():
        thing, other = standing[index // len(standing)], standing[index % len(standing)]
        if thing is other or len(drafts) == 2:
            continue
        found = side(sight.solids[thing.name], sight.solids[other.name], sight.camera)
        if found is None:
            continue
        options = [f"{capital(thing.words)} lies {SIDE_WORDS[each]} {other.words}" for each in SIDES]
        answer = _shuffled(options, SIDES.index(found), generator)
        question = phrase(generator, "relation", thing=thing.words)
        drafts.append(Draft("relation", question, answer, (thing.name, other.name)))
    return drafts


def supports(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """On or in what a movable thing lies; options are all that could carry it."""
    carriers = {fact.name: _carried(fact) for fact in sight.named if fact.holds}
    movable = [fact for fact in sight.named if fact.movable]
    for index in generator.permutation(len(movable)).tolist():
        fact = movable[index]
        found = _support(sight, fact)
        if found is None or found not in (ON_THE_TABLE, HELD, *carriers.values()):
            continue
        wrong = [w for w in (ON_THE_TABLE, HELD, *carriers.values()) if w != found and fact.words not in w]
        chosen = [wrong[i] for i in generator.permutation(len(wrong))[:3].tolist()]
        answer = _shuffled([found, *chosen], 0, generator)
        return [Draft("support", phrase(generator, "support", thing=fact.words), answer, (fact.name,))]
    return []


def neighbours(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """The nearest thing, if it can be seen and is clearly the nearest of all that there are."""
    standing = [fact for fact in sight.named if _support(sight, fact) == ON_THE_TABLE]
    everything = [solid for name, solid in sight.solids.items() if name != GRIPPER]
    names = {fact.name: fact.words for fact in standing}
    for index in generator.permutation(len(standing)).tolist():
        fact = standing[index]
        others = [solid for solid in everything if solid.name != fact.name]
        found = nearest(sight.solids[fact.name], others) if others else None
        wrong = [words for name, words in names.items() if found and name not in (fact.name, found.name)]
        if found is None or found.name not in names or not wrong:
            continue
        chosen = [wrong[i] for i in generator.permutation(len(wrong))[:3].tolist()]
        answer = _shuffled([names[found.name], *chosen], 0, generator)
        question = phrase(generator, "nearest", thing=fact.words)
        return [Draft("nearest", question, answer, (fact.name, found.name))]
    return []


def orientations(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """Of one long thing to the viewer, and of two to each other."""
    axes = viewer_axes(sight.camera)
    angles = {}
    for fact in sight.named:
        way = sight.scene.long_side(fact.name)
        if way is not None:
            right, far = axes @ way
            angles[fact] = float(np.degrees(np.arctan2(far, right))) % 180
    long = list(angles)
    drafts: list[Draft] = []
    for index in generator.permutation(len(long)).tolist():
        number = _clear(angles[long[index]], len(DIRECTIONS))
        if number is not None and not drafts:
            answer = _shuffled(DIRECTIONS, number, generator)
            question = phrase(generator, "orientation", thing=long[index].words)
            drafts.append(Draft("orientation", question, answer, (long[index].name,)))
    if len(long) > 1:
        one, other = (long[i] for i in generator.permutation(len(long))[:2].tolist())
        between = abs(angles[one] - angles[other])
        number = _clear(min(between, 180 - between), len(DIRECTIONS))
        if number is not None:
            answer = _shuffled(BETWEEN, number, generator)
            question = phrase(generator, "orientation-of-two", thing=one.words, other=other.words)
            drafts.append(Draft("orientation", question, answer, (one.name, other.name)))
    return drafts


def counts(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """Of a kind or of a colour; not where a member is hidden but for a few pixels."""
    facts = sight.scene.things
    kinds = Counter(fact.kind for fact in facts if fact.kind)
    groups = {plural(kind): [fact for fact in facts if fact.kind == kind] for kind in kinds}
    if all(fact.colour for fact in facts):
        for colour in {fact.colour: None for fact in facts}:
            groups[f"{colour} things"] = [fact for fact in facts if fact.colour == colour]
    drafts: list[Draft] = []
    for index in generator.permutation(len(groups)).tolist():
        words, members = list(groups.items())[index]
        doubtful = any(sight.pixels.get(m.name, 0) and m.name not in sight.marks for m in members)
        seen = sum(member.name in sight.marks for member in members)
        if doubtful or seen > MOST_COUNTED or drafts:
            continue
        answer = ChoiceAnswer(seen, tuple(map(str, range(MOST_COUNTED + 1))))
        about = tuple(member.name for member in members)
        drafts.append(Draft("count", phrase(generator, "count", things=words), answer, about))
    return drafts


def depths(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """Of the rest of the gripper's path in the present action: the gripper's own depth, not the surface's."""
    if sight.present == len(sight.actions) or GRIPPER not in sight.marks:
        return []
    last = sight.actions[sight.present].last
    path = picture_path(sight.motion.positions[sight.moment : last + 1], sight.camera)
    if path is None or path.depth_m is None:
        return []
    given = flat(path)
    return [
        Draft(
            "start-depth",
            phrase(generator, "start-depth"),
            MetresAnswer(round(float(path.depth_m[0]), 4)),
            (GRIPPER,),
            given,
        ),
        Draft(
            "depth-offsets",
            phrase(generator, "depth-offsets"),
            OffsetsAnswer(path.depth_m),
            (GRIPPER,),
            given,
        ),
    ]


def _support(sight: Sight, fact: ThingFacts) -> str | None:
    """What carries a thing, in words; None where that is not clear."""
    solid = sight.solids[fact.name]
    for carrier in sight.scene.things:
        if carrier.holds and carrier.name != fact.name and fact.movable:
            test = is_in if carrier.holds == "in" else is_on
            if test(solid, sight.solids[carrier.name]):
                return _carried(carrier) if carrier.words else None
    if solid.low[2] <= ON_TABLE_M:
        return ON_THE_TABLE
    near = np.linalg.norm(sight.motion.positions[sight.moment] - solid.centre) < HELD_M
    return HELD if near else None


def _carried(carrier: ThingFacts) -> str:
    return carrier.words


def _clear(angle_deg: float, count: int) -> int | None:
    """Which of `count` directions over half a turn it is, None between two."""
    step = 180 / count
    number = round(angle_deg / step)
    return number % count if abs(angle_deg - number * step) <= CLEAR_ANGLE_DEG else None


def _shuffled(options: Sequence[str], right: int, generator: np.random.Generator) -> ChoiceAnswer:
    order: list[int] = generator.permutation(len(options)).tolist()
    return ChoiceAnswer(order.index(right), tuple([options[i] for i in order]))
