"""What one frame shows: masks, marks and boxes of the things, and drafts of records about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from kinesight.collection.grounding.scene import GRIPPER, GroundScene, Take, ThingFacts
from kinesight.geometry.camera import inside, project, world_to_camera
from kinesight.geometry.paths import PATH_POINTS, arc_length, resample
from kinesight.geometry.picture_marks import LEAST_PIXELS, ObjectMark, mask_mark
from kinesight.geometry.spatial_relations import Solid
from kinesight.types.arrays import Points
from kinesight.types.camera import Camera
from kinesight.types.ground import Action, GroundAnswer, SceneThing
from kinesight.types.observation import View
from kinesight.types.spatial import GripperEvent, ImagePath

SHORTEST_PATH = 0.06
"""Share of the picture's width; what moves less has no path that could be told from its start."""
TABLE = "table"


@dataclass(frozen=True, slots=True)
class Draft:
    """A record without its name and split."""

    type: str
    question: str
    answer: GroundAnswer
    about: tuple[str, ...] = ()
    given: ImagePath | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How the gripper went through the whole episode."""

    positions: Points
    """Between the finger tips, at each moment."""
    opens: Bool[np.ndarray, "t"]
    """Whether the action after each moment opens the gripper."""


class Labels:
    """Segmentation ids of a scene -> numbers of its things and parts."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.things = sorted({name.partition("/")[0] for name in names.values()})
        self.parts = sorted(set(names.values()))
        size = max(names, default=0) + 1
        self._thing, self._part = np.zeros(size, np.int32), np.zeros(size, np.int32)
        for identity, name in names.items():
            self._thing[identity] = self.things.index(name.partition("/")[0])
            self._part[identity] = self.parts.index(name)

    def of_things(self, segmentation: Int[np.ndarray, "y x"]) -> Int[np.ndarray, "y x"]:
        return self._thing[segmentation]

    def of_parts(self, segmentation: Int[np.ndarray, "y x"]) -> Int[np.ndarray, "y x"]:
        return self._part[segmentation]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One moment from one side."""

    moment: int
    scene: GroundScene
    take: Take
    view: View
    solids: Mapping[str, Solid]
    instruction: str
    motion: Motion
    labels: Labels
    marks: Mapping[str, ObjectMark]
    """Things, and the gripper, that show `LEAST_PIXELS` at least."""
    pixels: Mapping[str, int]
    """Of every thing in the picture."""
    _thing_map: Int[np.ndarray, "y x"] = field(repr=False)

    @property
    def camera(self) -> Camera:
        return self.take.camera

    @property
    def actions(self) -> tuple[Action, ...]:
        return self.scene.actions

    @property
    def present(self) -> int:
        """Number of the action that is going on; their number when all are completed."""
        return sum(action.last <= self.moment for action in self.actions)

    @property
    def named(self) -> list[ThingFacts]:
        """Things that can be seen and that words tell apart."""
        return [fact for fact in self.scene.things if fact.words and fact.name in self.marks]

    def mask(self, thing: str) -> Bool[np.ndarray, "y x"]:
        return self._thing_map == self.labels.things.index(thing)

    def part_masks(self) -> dict[tuple[str, str], Bool[np.ndarray, "y x"]]:
        """(thing, part) -> mask, of the parts that show enough."""
        assert self.view.segmentation is not None, "a sight has ids"
        numbers = self.labels.of_parts(self.view.segmentation)
        counts = np.bincount(numbers.ravel(), minlength=len(self.labels.parts))
        found = {}
        for number in np.flatnonzero(counts >= LEAST_PIXELS).tolist():
            thing, _, part = self.labels.parts[number].partition("/")
            if thing in self.marks:
                found[thing, part] = numbers == number
        return found

    def scene_things(self) -> tuple[SceneThing, ...]:
        words = {fact.name: fact.words for fact in self.scene.things} | {GRIPPER: "the gripper"}
        return tuple(
            _scene_thing(name, words.get(name, ""), solid, self.marks.get(name), self.pixels.get(name, 0))
            for name, solid in self.solids.items()
        )


def sight_of(
    scene: GroundScene, take: Take, labels: Labels, motion: Motion, instruction: str, moment: int
) -> Sight:
    """The present state of the scene, drawn."""
    view = scene.view(take)
    assert view.segmentation is not None, "a scene is drawn with ids"
    numbers = labels.of_things(view.segmentation)
    counts = np.bincount(numbers.ravel(), minlength=len(labels.things))
    pixels = {name: int(count) for name, count in zip(labels.things, counts, strict=True)}
    asked = [fact.name for fact in scene.things] + [GRIPPER]
    marks = {
        name: mask_mark(name, numbers == labels.things.index(name))
        for name in asked
        if pixels.get(name, 0) >= LEAST_PIXELS
    }
    return Sight(
        moment, scene, take, view, scene.solids(), instruction, motion, labels, marks, pixels, numbers
    )


def picture_path(
    points: Points, camera: Camera, opens: Bool[np.ndarray, "n"] | None = None
) -> ImagePath | None:
    """World points [n 3] as eight points at equal arc length in the picture, with z-depth at each.

    None where a part lies outside the picture or the whole is too short to be seen. `opens` tells for each
    point whether the gripper is then being opened; where that changes, the nearest of the eight has an event.
    """
    pixels = project(points, camera)
    if len(points) < 2 or not inside(pixels, camera).all():
        return None
    length = arc_length(pixels)
    if length[-1] < SHORTEST_PATH * camera.width:
        return None
    columns = np.concatenate([pixels, world_to_camera(points, camera)[:, 2:]], axis=1)
    eight = resample(columns, PATH_POINTS, measure=2)
    shares = np.round(np.clip(eight[:, :2] / (camera.width, camera.height), 0.0, 1.0), 5)
    return ImagePath(shares, np.round(eight[:, 2], 4), _events(opens, length))


def flat(path: ImagePath, events: bool = False) -> ImagePath:
    """The path without its depths, and without the gripper's events unless they are wanted."""
    return ImagePath(path.points, None, path.events if events else ())


def _events(opens: Bool[np.ndarray, "n"] | None, length: Float[np.ndarray, "n"]) -> tuple[GripperEvent, ...]:
    if opens is None:
        return ()
    changed = np.flatnonzero(opens[1:] != opens[:-1]) + 1
    places = np.rint(length[changed] / length[-1] * (PATH_POINTS - 1)).astype(int)
    return tuple(
        GripperEvent(place, bool(opens[index]))
        for place, index in zip(places.tolist(), changed.tolist(), strict=True)
    )


def _scene_thing(name: str, words: str, solid: Solid, mark: ObjectMark | None, pixels: int) -> SceneThing:
    low, high = (tuple(round(float(v), 4) for v in corner) for corner in (solid.low, solid.high))
    return SceneThing(
        name=name,
        words=words,
        low=(low[0], low[1], low[2]),
        high=(high[0], high[1], high[2]),
        pixels=pixels,
        box=mark.box if mark else None,
        point=mark.point if mark else None,
        cut_off=bool(mark and mark.cut_off),
    )
