"""The frozen table of splits: what is drawn in training and what is kept back for evaluation.

Each split but "long-horizon" differs from "train" in one respect only; seeds do the rest. In the split's
respect only the things that the instruction names are bound: other things are drawn from everything seen.
"""

from dataclasses import dataclass, replace
from math import pi

from kinesight.envs.tabletop_kinds import COLOURS
from kinesight.envs.tabletop_looks import SEEN_LOOKS, UNSEEN_LOOKS
from kinesight.envs.tabletop_objects import GROCERIES, SHAPES
from kinesight.types.errors import lookup

UNSEEN_COLOURS = ("pink", "lime", "teal", "brown", "azure")
UNSEEN_SHAPES = ("hexagon", "mug")
UNSEEN_GROCERIES = ("cracker box", "soup can")
SEEN_COLOURS = tuple(colour for colour in COLOURS if colour not in UNSEEN_COLOURS)
SEEN_SHAPES = tuple(shape for shape in SHAPES if shape not in UNSEEN_SHAPES)
SEEN_GROCERIES = tuple(item for item in GROCERIES if item not in UNSEEN_GROCERIES)
HELD_OUT_REGION = ((-0.28, -0.05), (0.60, 0.76))
"""(x, y) bounds: the quarter of the table that the front camera shows to the right and near."""


@dataclass(frozen=True, slots=True)
class Split:
    """From what a case is drawn."""

    colours: tuple[str, ...] = SEEN_COLOURS
    shapes: tuple[str, ...] = SEEN_SHAPES
    groceries: tuple[str, ...] = SEEN_GROCERIES
    held_out_region: bool = False
    """Where the object that is acted on lies: inside `HELD_OUT_REGION`, or outside."""
    yaw_rad: tuple[float, float] = (0.0, pi / 4)
    """Bounds of the size of an object's turn about z."""
    looks: tuple[str, ...] = SEEN_LOOKS
    similar: bool = False
    """Distractors have the target's shape in the colour most like its own, or its colour."""
    paraphrased: bool = False
    """Sentences of other templates, with descriptions by attribute or relation only."""
    long: bool = False
    """More steps than in training."""
    incident: str = ""
    """What happens in the middle of the episode: "interference", "new-instruction" or nothing."""


TRAIN = Split()
SPLITS: dict[str, Split] = {
    "train": TRAIN,
    "unseen-colours": replace(TRAIN, colours=UNSEEN_COLOURS),
    "unseen-objects": replace(TRAIN, shapes=UNSEEN_SHAPES, groceries=UNSEEN_GROCERIES),
    "unseen-positions": replace(TRAIN, held_out_region=True),
    "unseen-orientations": replace(TRAIN, yaw_rad=(pi / 4, pi / 2)),
    "unseen-looks": replace(TRAIN, looks=UNSEEN_LOOKS),
    "similar-distractors": replace(TRAIN, similar=True),
    "unseen-instructions": replace(TRAIN, paraphrased=True),
    "long-horizon": replace(TRAIN, long=True),
    "interference": replace(TRAIN, incident="interference"),
    "new-instruction": replace(TRAIN, incident="new-instruction"),
}


def split(name: str) -> Split:
    """The split of a case; a case that names none is in distribution."""
    return lookup("tabletop split", name or "train", SPLITS)
