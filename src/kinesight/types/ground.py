"""Spatial supervision: questions about one rendered picture with answers that a simulator knows.

Answers are neutral: places are shares of the picture's sides (`kinesight.types.spatial`), depths are z-depth
in metres, choices are numbers of options. How a model spells them is a dialect's business
(`kinesight.language.ground_text`).

An episode is one trajectory that reached its goal. It falls into actions, which are linked by their order; a
frame is a picture of one moment, from one side, under one look; a record is one question about a frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.spatial import ImageBox, ImagePath, ImagePoint, ImageSize

SCHEMA = 1
MOST_RECORDS = 20
"""A frame has no more."""
PRIVILEGED = ("scene", "segmentation")
"""What a real robot would not have and these records come from."""

Subset = Literal["train", "validation", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Region:
    """A mask in row-major runs: so many pixels outside, inside, outside, …; the first may be 0."""

    height: int
    width: int
    runs: tuple[int, ...]

    def __post_init__(self) -> None:
        if sum(self.runs) != self.height * self.width or min(self.runs, default=0) < 0:
            raise ValueError(f"runs must add up to {self.height} x {self.width} pixels, got {self.runs}")
        if sum(self.runs[1::2]) == 0:
            raise ValueError("a region without a pixel can be hit by no answer")

    @classmethod
    def of(cls, mask: Bool[np.ndarray, "y x"]) -> "Region":
        flat = mask.ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        starts = [0, *edges.tolist()] if not flat[0] else [0, 0, *edges.tolist()]
        height, width = mask.shape
        return cls(height, width, tuple(b - a for a, b in pairwise([*starts, flat.size])))

    def mask(self) -> Bool[np.ndarray, "y x"]:
        inside = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(inside, self.runs).reshape(self.height, self.width)


@dataclass(frozen=True, slots=True)
class RegionAnswer:
    """Points; whatever lies in the region is right."""

    points: tuple[ImagePoint, ...]
    region: Region


@dataclass(frozen=True, slots=True)
class BoxAnswer:
    """The box of what can be seen of a thing."""

    box: ImageBox


@dataclass(frozen=True, slots=True)
class PathAnswer:
    """Eight points at equal arc length in the picture; a gripper's path has its events."""

    path: ImagePath


@dataclass(frozen=True, slots=True)
class MetresAnswer:
    """One z-depth."""

    metres: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.metres) and self.metres > 0):
            raise ValueError(f"a z-depth is above 0 m, got {self.metres}")


@dataclass(frozen=True, slots=True, eq=False)
class OffsetsAnswer:
    """z-depths of the given path's points; what is asked for are their offsets from the first."""

    depth_m: Float[np.ndarray, "n"]


@dataclass(frozen=True, slots=True)
class ChoiceAnswer:
    """The number of the right option."""

    option: int
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.option < len(self.options) or len(set(self.options)) < len(self.options):
            raise ValueError(f"one of several different options, got {self.option} of {self.options}")

    @property
    def words(self) -> str:
        return self.options[self.option]


@dataclass(frozen=True, slots=True)
class ProgressAnswer:
    """How many actions are completed, and whether the task is finished."""

    completed: int
    finished: bool


@dataclass(frozen=True, slots=True)
class SentenceAnswer:
    """An action in words."""

    text: str


GroundAnswer: TypeAlias = (
    RegionAnswer
    | BoxAnswer
    | PathAnswer
    | MetresAnswer
    | OffsetsAnswer
    | ChoiceAnswer
    | ProgressAnswer
    | SentenceAnswer
)


@dataclass(frozen=True, slots=True)
class RecordType:
    """What a type of record asks for."""

    group: Literal["2D", "3D", "4D"]
    """In the picture, in space, or in time."""
    answer: type
    asks: str


RECORD_TYPES: Mapping[str, RecordType] = {
    "box": RecordType("2D", BoxAnswer, "box of a thing"),
    "point": RecordType("2D", RegionAnswer, "point on a thing"),
    "part": RecordType("2D", RegionAnswer, "point on a named part of a thing"),
    "free-space": RecordType("2D", RegionAnswer, "free place on the table at one side of a thing"),
    "object-path": RecordType("2D", PathAnswer, "path of the thing that the present action moves"),
    "gripper-path": RecordType("2D", PathAnswer, "path of the gripper in the action that begins"),
    "start-depth": RecordType("3D", MetresAnswer, "z-depth at the start of a given path"),
    "depth-offsets": RecordType("3D", OffsetsAnswer, "z-depths along a given path, from its start"),
    "relation": RecordType("3D", ChoiceAnswer, "side of one thing on which another lies"),
    "support": RecordType("3D", ChoiceAnswer, "what a thing lies on or in"),
    "nearest": RecordType("3D", ChoiceAnswer, "which thing is nearest to another"),
    "orientation": RecordType("3D", ChoiceAnswer, "direction of a long thing, or of two to each other"),
    "count": RecordType("3D", ChoiceAnswer, "number of things of one kind or colour"),
    "next-step": RecordType("4D", SentenceAnswer, "the action that comes next"),
    "previous-step": RecordType("4D", SentenceAnswer, "the action that was completed last"),
    "step-index": RecordType("4D", ChoiceAnswer, "which of the listed actions is going on"),
    "progress": RecordType("4D", ProgressAnswer, "completed actions, finished or not"),
    "remaining-path": RecordType("4D", PathAnswer, "rest of the gripper's path in a begun action"),
    "next-path": RecordType("4D", PathAnswer, "path of the gripper in the action after the present one"),
}
"""Name -> what it asks for. `Record.type` is one of these names."""


@dataclass(frozen=True, slots=True)
class Record:
    """One question about one frame, and its answer."""

    name: str
    """Unique in its set: EPISODE/MOMENT.TAKE/TYPE/NUMBER."""
    type: str
    """Of `RECORD_TYPES`."""
    question: str
    """In words, without a picture token; "{given}" stands where the given path is to be written."""
    answer: GroundAnswer
    subset: Subset
    env_split: str
    """The environment's own split, such as "train" or "unseen-colours"."""
    about: tuple[str, ...] = ()
    """Names of the things that it is about, as in `GroundFrame.things`."""
    given: ImagePath | None = None

    def __post_init__(self) -> None:
        if self.type not in RECORD_TYPES or not isinstance(self.answer, RECORD_TYPES[self.type].answer):
            raise ValueError(f"{self.name}: {type(self.answer).__name__} answers no record {self.type!r}")
        if ("{given}" in self.question) != (self.given is not None):
            raise ValueError(f"{self.name}: a given path and its place in the question belong together")


@dataclass(frozen=True, slots=True)
class SceneThing:
    """One thing of a scene at one moment, and what a frame shows of it."""

    name: str
    """Unique in the scene; the robot's is "gripper"."""
    words: str
    """ "the red cube": fits this thing only, or "" where no words do."""
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    """Corners of its box along the world's axes, metres."""
    pixels: int = 0
    box: ImageBox | None = None
    """None, as the point, where fewer than `LEAST_PIXELS` of it can be seen."""
    point: ImagePoint | None = None
    cut_off: bool = False
    """Reaches the edge of the picture."""


@dataclass(frozen=True, slots=True)
class Action:
    """A part of an episode between two moments; linked to its neighbours in `GroundEpisode.actions`."""

    template: str
    """Name of one of the templates in `collection/grounding/templates.py`."""
    slots: Mapping[str, str]
    text: str
    first: int
    """Moment (step of the environment) at which it begins."""
    last: int
    """Moment at which it is completed; the next action begins there."""
    moved: str = ""
    """The thing that it moves, "" where only the gripper moves."""
    used: str = ""
    """The thing that the gripper touches: the moved one, or what is picked up or pressed."""

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.last:
            raise ValueError(f"an action ends after it began, got {self.first} to {self.last}: {self.text}")


@dataclass(frozen=True, slots=True)
class GroundEpisode:
    """What holds for all frames of a trajectory; it reached its goal at moment `length`."""

    index: int
    case: Case
    subset: Subset
    instruction: str
    length: int
    actions: tuple[Action, ...]
    duplicates: int = 0
    """Frames that were drawn and left out because another one is nearly the same."""

    def __post_init__(self) -> None:
        gaps = [a.last != b.first for a, b in pairwise(self.actions)]
        if not self.actions or any(gaps) or self.actions[-1].last != self.length:
            raise ValueError(f"actions must follow each other up to {self.length}, got {self.actions}")

    def action_at(self, moment: int) -> int:
        """Number of the action that is going on; the number of actions when all are completed."""
        return sum(action.last <= moment for action in self.actions)


@dataclass(frozen=True, slots=True)
class GroundFrame:
    """One picture: when, from where, under which look, and what there is."""

    episode: int
    moment: int
    """Step of the environment; 0 is the start."""
    camera: Camera
    take: int
    """Frames of one episode and take are one film: one view under one look, moment by moment."""
    look: str
    """How the scene was drawn, e.g. "studio" or "random"."""
    light: Mapping[str, Any]
    """Table top, wall, floor and light of the look."""
    things: tuple[SceneThing, ...]

    @property
    def size(self) -> ImageSize:
        return ImageSize(self.camera.height, self.camera.width)


@dataclass(frozen=True, slots=True)
class GroundInfo:
    """`ground.json`: what holds for the whole set."""

    config: Mapping[str, Any]
    templates: Mapping[str, str]
    """Action template -> its sentence with slots."""
    absent: tuple[str, ...]
    """Actions that the simulators cannot show, so that no record is about them."""
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    privileged: tuple[str, ...] = PRIVILEGED
    schema: int = SCHEMA
