"""The table-top's episodes as scenes to be asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product

import numpy as np
from jaxtyping import Float

from kinesight.collection.grounding.scene import GRIPPER, Take, ThingFacts
from kinesight.collection.grounding.tabletop_actions import actions_of, detours, thing_words
from kinesight.data.episodes import Episode
from kinesight.envs.tabletop_fixtures import CONTAINERS
from kinesight.envs.tabletop_layout import TableState, Thing
from kinesight.envs.tabletop_looks import LOOKS, Look
from kinesight.envs.tabletop_replay import FREE, dress, free_camera, named_camera, random_look, replay
from kinesight.envs.tabletop_scene import CAMERAS
from kinesight.envs.tabletop_splits import SEEN_GROCERIES, SEEN_SHAPES
from kinesight.envs.tabletop_steps import handle
from kinesight.envs.tabletop_tasks import draw
from kinesight.geometry.spatial_relations import Solid, viewer_axes
from kinesight.types.arrays import Points
from kinesight.types.camera import Camera
from kinesight.types.errors import UnknownName, lookup
from kinesight.types.ground import Action
from kinesight.types.observation import View

OWN, RANDOM = "own", "random"
"""The case's look; one that is drawn for each view."""
VIEWS = (*CAMERAS, FREE)
LONG = ("brick", "banana", "lemon", "carrot", "cucumber", "cracker box")
"""Kinds with a long side, along their x axis."""
INTO = ("box", "bowl", "drawer", "socket")
ONTO = ("plate", "mat", "jar")
LITERAL_COS = np.cos(np.radians(25.0))
"""Of the angle to the front view up to which left, right, in front and behind mean what they mean there."""
_STREAM = 11
"""Keeps what is drawn here apart from the draw of the case."""
_FRONT_FAR = np.array([0.0, -1.0])


class TableTopScene:
    """One recorded episode."""

    def __init__(self, episode: Episode) -> None:
        self._case = episode.case
        self._setting = draw(episode.case)
        self._states = episode.arrays["state"].astype(np.float64)
        self._replay = replay(self._setting)
        self._looks: dict[int, Look] = {}
        self._moving: dict[str, tuple[str, Points]] = {}
        self._table = self._state(0)
        self.things = tuple(_facts(self._setting.things, thing) for thing in self._setting.things)
        self.actions = actions_of(self._setting, episode.text["events"], episode.length)
        self._detours = detours(self.actions, episode.text["events"])

    @property
    def absent_kinds(self) -> tuple[str, ...]:
        there = {fact.kind for fact in self.things}
        return tuple(kind for kind in (*SEEN_SHAPES, *SEEN_GROCERIES, *CONTAINERS) if kind not in there)

    @property
    def names(self) -> Mapping[int, str]:
        return self._replay.names

    def takes(
        self, cameras: Sequence[str], looks: Sequence[str], height: int, width: int
    ) -> tuple[Take, ...]:
        self.put(0)
        entropy = [int.from_bytes(self._case.task.encode(), "little"), self._case.seed, _STREAM]
        generator = np.random.default_rng(np.random.SeedSequence(entropy))
        unseen = self._case.split == "unseen-looks"
        takes = []
        for number, (name, look) in enumerate(product(cameras, looks)):
            camera = self._camera(name, generator, height, width)
            worn = random_look(generator, unseen) if look == RANDOM else self._named_look(look)
            self._looks[number] = worn
            far = viewer_axes(camera)[1]
            label = self._setting.look if look == OWN else look
            literal = bool(far @ _FRONT_FAR >= LITERAL_COS)
            takes.append(Take(number, camera, label, asdict(worn), literal))
        return tuple(takes)

    def put(self, moment: int) -> None:
        self._table = self._state(moment)
        self._replay.put(self._table.vector)

    def view(self, take: Take) -> View:
        dress(self._replay, self._looks[take.number])
        return self._replay.view(take.camera, rgb=True, depth=True, segmentation=True)

    def solids(self) -> dict[str, Solid]:
        boxes = self._replay.boxes()
        wanted = [*(thing.name for thing in self._setting.things), GRIPPER]
        return {name: Solid(name, *boxes[name]) for name in wanted}

    def long_side(self, name: str) -> Float[np.ndarray, "2"] | None:
        if self._table.thing(name).kind not in LONG or not self._table.upright(name):
            return None
        way = self._table.rotation(name)[:2, 0]
        return way / np.linalg.norm(way)

    def moving(self, action: Action) -> tuple[str, Points] | None:
        if action.moved and action.moved not in self._moving:
            self._moving[action.moved] = self._track(action.moved)
        return self._moving.get(action.moved)

    def _track(self, name: str) -> tuple[str, Points]:
        """Of a thing, or of its handle where that is what moves."""
        thing = self._table.thing(name)
        words = next(fact.words for fact in self.things if fact.name == thing.name) or "it"
        states = [self._state(moment) for moment in range(len(self._states))]
        if thing.kind == "drawer":
            handles = [handle(state, thing.name, state.joint(thing.name)) for state in states]
            return f"the handle of {words}", np.stack(handles)
        return words, np.stack([state.centre(thing.name) for state in states])

    def direct(self, number: int) -> bool:
        return number not in self._detours

    def part_words(self, thing: str, part: str) -> str:
        words = {fact.name: fact.words for fact in self.things}.get(thing, "")
        # What no table names carries the name of its body.
        return f"the {part} of {words}" if words and not part.startswith(thing) else ""

    def _state(self, moment: int) -> TableState:
        return TableState(self._setting.things, self._states[moment])

    def _camera(self, name: str, generator: np.random.Generator, height: int, width: int) -> Camera:
        if name == FREE:
            return free_camera(generator, height, width)
        return named_camera(self._replay, name, height, width)

    def _named_look(self, name: str) -> Look:
        return LOOKS[self._setting.look] if name == OWN else lookup("look", name, LOOKS)


def check_views(cameras: Sequence[str], looks: Sequence[str]) -> None:
    """Wrong names are answered before anything is simulated."""
    for name in cameras:
        if name not in VIEWS:
            raise UnknownName("tabletop camera", name, VIEWS)
    for name in looks:
        if name not in (OWN, RANDOM, *LOOKS):
            raise UnknownName("look", name, (OWN, RANDOM, *LOOKS))


def _facts(things: Sequence[Thing], thing: Thing) -> ThingFacts:
    holds = "in" if thing.kind in INTO else "on" if thing.kind in ONTO or thing.type.stackable else ""
    return ThingFacts(
        name=thing.name,
        words=thing_words(things, thing),
        kind={"socket": "lamp"}.get(thing.kind, thing.kind),
        colour=thing.colour,
        holds=holds,
        movable=thing.type.movable and thing.kind not in CONTAINERS,
    )
