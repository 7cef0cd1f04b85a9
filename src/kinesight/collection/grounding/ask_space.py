"""Records about space: sides, supports, neighbours, directions, numbers, depths along the gripper's path."""

from collections.abc import Sequence

import numpy as np

from kinesight.collection.grounding.ask_places import ON_TABLE_M, SIDE_WORDS
from kinesight.collection.grounding.phrases import capital, phrase, plural
from kinesight.collection.grounding.scene import GRIPPER, ThingFacts
from kinesight.collection.grounding.sight import Draft, Sight, flat, picture_path
from kinesight.geometry.spatial_relations import SIDES, is_in, is_on, nearest, side, viewer_axes
from kinesight.types.ground import ChoiceAnswer, MetresAnswer, OffsetsAnswer

HELD_M, LIFTED_M = 0.06, 0.03
"""Nearer than the first to the point between the finger tips a thing may be gripped; higher than the second,
and on nothing, it is."""
CLEAR_ANGLE_DEG = 13.0
"""A direction is said where it is that near to one of its names."""
MOST_COUNTED = 5
COMMON_SHARE = 0.2
"""Of the questions that would have the same answer nearly always."""
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
    standing = [fact for fact in sight.named if support(sight, fact) == ON_THE_TABLE]
    drafts: list[Draft] = []
    for index in generator.permutation(len(standing) ** 2).tolist():
        thing, other = standing[index // len(standing)], standing[index % len(standing)]
        if thing is other or len(drafts) == 2:
            continue
        found = side(sight.solids[thing.name], sight.solids[other.name], sight.camera)
        if found is None:
            continue
        options = [f"{capital(thing.words)} lies {SIDE_WORDS[each]} {other.words}" for each in SIDES]
        answer = shuffled(options, SIDES.index(found), generator)
        question = phrase(generator, "relation", thing=thing.words)
        drafts.append(Draft("relation", question, answer, (thing.name, other.name)))
    return drafts


def supports(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """On or in what a movable thing lies; options are all that could carry it."""
    known = [ON_THE_TABLE, HELD, *(fact.words for fact in sight.named if fact.holds)]
    carried = [(fact, support(sight, fact)) for fact in sight.named if fact.movable]
    rare = [(fact, found) for fact, found in carried if found in known and found != ON_THE_TABLE]
    common = [(fact, found) for fact, found in carried if found == ON_THE_TABLE]
    # Nearly everything stands on the table: that is asked now and then only.
    asked = rare or (common if generator.random() < COMMON_SHARE else [])
    if not asked:
        return []
    fact, found = asked[int(generator.integers(len(asked)))]
    wrong = [words for words in known if words not in (found, fact.words)]
    chosen = [wrong[i] for i in generator.permutation(len(wrong))[:3].tolist()]
    answer = shuffled([str(found), *chosen], 0, generator)
    return [Draft("support", phrase(generator, "support", thing=fact.words), answer, (fact.name,))]


def neighbours(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """The nearest thing, if it can be seen and is clearly the nearest of all that there are."""
    standing = [fact for fact in sight.named if support(sight, fact) == ON_THE_TABLE]
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
        answer = shuffled([names[found.name], *chosen], 0, generator)
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
            answer = shuffled(DIRECTIONS, number, generator)
            question = phrase(generator, "orientation", thing=long[index].words)
            drafts.append(Draft("orientation", question, answer, (long[index].name,)))
    if len(long) > 1:
        one, other = (long[i] for i in generator.permutation(len(long))[:2].tolist())
        between = abs(angles[one] - angles[other])
        number = _clear(min(between, 180 - between), len(DIRECTIONS))
        if number is not None:
            answer = shuffled(BETWEEN, number, generator)
            question = phrase(generator, "orientation-of-two", thing=one.words, other=other.words)
            drafts.append(Draft("orientation", question, answer, (one.name, other.name)))
    return drafts


def counts(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """Of a kind or of a colour; not where a member is hidden but for a few pixels.

    First the number is drawn, then what there is so many of: one of a kind is the most frequent by far.
    """
    groups = {plural(kind): [] for kind in sight.scene.absent_kinds}
    for fact in sight.scene.things:
        groups.setdefault(plural(fact.kind), []).append(fact)
    if all(fact.colour for fact in sight.scene.things):
        for fact in sight.scene.things:
            groups.setdefault(f"{fact.colour} things", []).append(fact)
    by_number: dict[int, list[str]] = {}
    for words, members in groups.items():
        doubtful = any(sight.pixels.get(m.name, 0) and m.name not in sight.marks for m in members)
        seen = sum(member.name in sight.marks for member in members)
        if not doubtful and seen <= MOST_COUNTED:
            by_number.setdefault(seen, []).append(words)
    if not by_number:
        return []
    seen = sorted(by_number)[int(generator.integers(len(by_number)))]
    words = by_number[seen][int(generator.integers(len(by_number[seen])))]
    answer = ChoiceAnswer(seen, tuple(map(str, range(MOST_COUNTED + 1))))
    about = tuple(member.name for member in groups[words])
    return [Draft("count", phrase(generator, "count", things=words), answer, about)]


def depths(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """Of the rest of the gripper's path in the present action: the gripper's own depth, not the surface's."""
    if sight.present == len(sight.actions) or GRIPPER not in sight.marks:
        return []
    if not sight.scene.direct(sight.present):
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


def support(sight: Sight, fact: ThingFacts) -> str | None:
    """What carries a thing, in words; None where that is not clear, as while the gripper is about it."""
    solid = sight.solids[fact.name]
    carriers = [
        carrier.words
        for carrier in sight.scene.things
        if carrier.holds and carrier.name != fact.name and fact.movable
        if (is_in if carrier.holds == "in" else is_on)(solid, sight.solids[carrier.name])
    ]
    if fact.movable and np.linalg.norm(sight.motion.positions[sight.moment] - solid.centre) < HELD_M:
        return HELD if solid.low[2] > LIFTED_M and not carriers else None
    if carriers:
        return carriers[0] or None
    return ON_THE_TABLE if solid.low[2] <= ON_TABLE_M else None


def _clear(angle_deg: float, count: int) -> int | None:
    """Which of `count` directions over half a turn it is, None between two."""
    step = 180 / count
    number = round(angle_deg / step)
    return number % count if abs(angle_deg - number * step) <= CLEAR_ANGLE_DEG else None


def shuffled(options: Sequence[str], right: int, generator: np.random.Generator) -> ChoiceAnswer:
    order: list[int] = generator.permutation(len(options)).tolist()
    return ChoiceAnswer(order.index(right), tuple([options[i] for i in order]))
