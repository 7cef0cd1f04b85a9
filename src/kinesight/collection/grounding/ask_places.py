"""Records about places in the picture: boxes, points on things and parts, free places of the table."""

import cv2
import numpy as np
from jaxtyping import Bool

from kinesight.collection.grounding.phrases import phrase
from kinesight.collection.grounding.scene import GRIPPER, ThingFacts
from kinesight.collection.grounding.sight import TABLE, Draft, Sight
from kinesight.geometry.camera import pixel_centres, unproject
from kinesight.geometry.picture_marks import LEAST_PIXELS, ObjectMark, deepest_point
from kinesight.geometry.spatial_relations import SIDES, Side, free_points
from kinesight.types.ground import BoxAnswer, Region, RegionAnswer
from kinesight.types.spatial import ImageBox, ImagePoint

SIDE_WORDS: dict[Side, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "in front": "in front of",
    "behind": "behind",
}
ON_TABLE_M = 0.012
"""What stands on the table is no higher above it; held things and those in a bowl are."""
FREE_POINTS = 5
FREE_SHARE = 0.004
"""Least share of the picture that a free region has."""


def boxes(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    drafts = []
    for fact in _some(sight, generator, 2):
        mark = sight.marks[fact.name]
        if mark.cut_off:
            continue
        box = ImageBox(*mark.box.edges, _label(fact.words))
        drafts.append(Draft("box", phrase(generator, "box", thing=fact.words), BoxAnswer(box), (fact.name,)))
    return drafts


def points(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    drafts = []
    for fact in _some(sight, generator, 2):
        answer = RegionAnswer((_point(sight.marks[fact.name], fact.words),), Region.of(sight.mask(fact.name)))
        drafts.append(Draft("point", phrase(generator, "point", thing=fact.words), answer, (fact.name,)))
    return drafts


def parts(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    masks = list(sight.part_masks().items())
    drafts: list[Draft] = []
    for index in generator.permutation(len(masks)).tolist():
        (thing, part), mask = masks[index]
        words = sight.scene.part_words(thing, part)
        if words and len(drafts) < 2:
            point = deepest_point(mask, _label(words))
            answer = RegionAnswer((point,), Region.of(mask))
            drafts.append(Draft("part", phrase(generator, "part", part=words), answer, (thing,)))
    return drafts


def free_space(sight: Sight, generator: np.random.Generator) -> list[Draft]:
    """Where the table shows and nothing stands or is held low above it."""
    if TABLE not in sight.labels.things or sight.pixels[TABLE] < LEAST_PIXELS:
        return []
    table = sight.mask(TABLE)
    around = [solid for name, solid in sight.solids.items() if name != GRIPPER or solid.low[2] < 0.1]
    drafts = []
    standing = [fact for fact in sight.named if sight.solids[fact.name].low[2] < ON_TABLE_M]
    for index in generator.permutation(len(standing))[:2].tolist():
        fact = standing[index]
        wanted = SIDES[int(generator.integers(len(SIDES)))]
        free = _free(sight, table, fact, wanted, around)
        if free.sum() < FREE_SHARE * free.size:
            continue
        spots = tuple(ImagePoint(x, y) for x, y in _spread(free, generator))
        question = phrase(generator, "free-space", side=SIDE_WORDS[wanted], thing=fact.words)
        drafts.append(Draft("free-space", question, RegionAnswer(spots, Region.of(free)), (fact.name,)))
    return drafts


def _free(
    sight: Sight, table: Bool[np.ndarray, "y x"], fact: ThingFacts, wanted: Side, around: list
) -> Bool[np.ndarray, "y x"]:
    """Every second pixel each way decides for its block of four; the clearance is wider than that."""
    assert sight.view.depth_m is not None, "a sight has depths"
    chosen = np.zeros_like(table)
    chosen[::2, ::2] = table[::2, ::2]
    flat = chosen.ravel()
    world = unproject(
        pixel_centres(sight.camera)[flat], sight.view.depth_m.ravel()[flat].astype(np.float64), sight.camera
    )
    others = [solid for solid in around if solid.name != fact.name]
    free = np.zeros(table.shape, bool)
    free[chosen] = free_points(world, others, sight.solids[fact.name], wanted, sight.camera)
    blocks = free[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)[: table.shape[0], : table.shape[1]]
    return np.logical_and(blocks, table)


def _spread(free: Bool[np.ndarray, "y x"], generator: np.random.Generator) -> list[tuple[float, float]]:
    """The deepest point of a region and some more off its edge."""
    height, width = free.shape
    first = deepest_point(free)
    core = cv2.erode(free.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)
    rows, columns = np.nonzero(core)
    count = min(FREE_POINTS - 1, len(rows))
    chosen = generator.choice(len(rows), count, replace=False) if count else []
    more = [(float((columns[i] + 0.5) / width), float((rows[i] + 0.5) / height)) for i in chosen]
    return [first.xy, *(spot for spot in more if spot != first.xy)]


def _some(sight: Sight, generator: np.random.Generator, count: int) -> list[ThingFacts]:
    named = sight.named
    return [named[i] for i in generator.permutation(len(named))[:count].tolist()]


def _point(mark: ObjectMark, words: str) -> ImagePoint:
    return ImagePoint(mark.point.x, mark.point.y, _label(words))


def _label(words: str) -> str:
    return words.removeprefix("the ")
