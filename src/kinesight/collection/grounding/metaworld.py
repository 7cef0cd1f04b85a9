"""Meta-World's episodes as scenes to be asked about: one action each, things and parts named by task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from jaxtyping import Float

from kinesight.collection.grounding.scene import GRIPPER, Take, ThingFacts
from kinesight.collection.grounding.templates import action
from kinesight.data.episodes import Episode
from kinesight.envs.metaworld_replay import Lamps, Light, named_camera, random_light, replay
from kinesight.envs.metaworld_tables import CAMERAS
from kinesight.geometry.spatial_relations import Solid
from kinesight.types.arrays import Points
from kinesight.types.errors import UnknownName
from kinesight.types.ground import Action
from kinesight.types.observation import View

OWN, RANDOM = "own", "random"
VIEWS = CAMERAS
_STREAM = 11


@dataclass(frozen=True, slots=True)
class TaskWords:
    """What people call the bodies of a task's model."""

    things: Mapping[str, str]
    """Body -> words."""
    template: str
    slots: Mapping[str, str]
    moved: str
    """Body whose part is at the scene's "target"."""
    moving: str = ""
    """What that part is called; "" for the moved thing's own words."""
    parts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(body, name of the geom or of its body) -> words."""


_DOOR = {"door": "the door"}
_DOOR_PARTS = {("door", "handle"): "the handle of the door"}
_DRAWER = {"drawer": "the drawer"}
_DRAWER_PARTS = {("drawer", "objGeom"): "the handle of the drawer"}
_BUTTON_PARTS = {("box", "btnGeom"): "the button", ("box", "button"): "the button"}
_HANDLE_PARTS = {("box", "handle_link"): "the handle"}
_RING = {"RoundNut": "the ring", "peg": "the peg"}

TASKS: Mapping[str, TaskWords] = {
    "door-open": TaskWords(
        _DOOR, "open", {"item": "the door"}, "door", "the handle of the door", _DOOR_PARTS
    ),
    "door-close": TaskWords(
        _DOOR, "close", {"item": "the door"}, "door", "the handle of the door", _DOOR_PARTS
    ),
    "drawer-open": TaskWords(
        _DRAWER, "open", {"item": "the drawer"}, "drawer", "the handle of the drawer", _DRAWER_PARTS
    ),
    "drawer-close": TaskWords(
        _DRAWER, "close", {"item": "the drawer"}, "drawer", "the handle of the drawer", _DRAWER_PARTS
    ),
    "window-open": TaskWords({"window": "the window"}, "open", {"item": "the window"}, "window"),
    "window-close": TaskWords({"window": "the window"}, "close", {"item": "the window"}, "window"),
    "button-press-topdown": TaskWords(
        {"box": "the button box"}, "press", {"item": "the button"}, "box", "the button", _BUTTON_PARTS
    ),
    "button-press": TaskWords(
        {"box": "the button box"}, "press", {"item": "the button"}, "box", "the button", _BUTTON_PARTS
    ),
    "handle-press": TaskWords(
        {"box": "the handle box"}, "press", {"item": "the handle"}, "box", "the handle", _HANDLE_PARTS
    ),
    "handle-pull": TaskWords(
        {"box": "the handle box"}, "raise", {"item": "the handle"}, "box", "the handle", _HANDLE_PARTS
    ),
    "lever-pull": TaskWords({"lever": "the lever"}, "raise", {"item": "the lever"}, "lever"),
    "faucet-open": TaskWords(
        {"faucetBase": "the faucet"}, "turn", {"item": "the faucet", "direction": "on"}, "faucetBase"
    ),
    "faucet-close": TaskWords(
        {"faucetBase": "the faucet"}, "turn", {"item": "the faucet", "direction": "off"}, "faucetBase"
    ),
    "peg-insert-side": TaskWords(
        {"peg": "the peg", "box": "the block"}, "insert", {"item": "the peg", "place": "the block"}, "peg"
    ),
    "peg-unplug-side": TaskWords(
        {"plug1": "the plug", "box": "the socket"},
        "take-out",
        {"item": "the plug", "place": "the socket"},
        "plug1",
    ),
    "hammer": TaskWords(
        {"hammerbody": "the hammer", "box": "the block"},
        "strike",
        {"item": "the hammer", "place": "the nail"},
        "hammerbody",
        parts={
            ("box", "nail_link"): "the nail",
            ("hammerbody", "HammerHandle"): "the handle of the hammer",
            ("hammerbody", "HammerHead"): "the head of the hammer",
        },
    ),
    "assembly": TaskWords(
        _RING,
        "put-on",
        {"item": "the ring", "place": "the peg"},
        "RoundNut",
        parts={("RoundNut", "WrenchHandle"): "the handle of the ring"},
    ),
    "box-close": TaskWords(
        {"boxbodytop": "the lid", "boxbody": "the box"},
        "put-on",
        {"item": "the lid", "place": "the box"},
        "boxbodytop",
        parts={("boxbodytop", "BoxHandleGeom"): "the handle of the lid"},
    ),
    "basketball": TaskWords(
        {"bsktball": "the ball", "basket_goal": "the basket"},
        "put-in",
        {"item": "the ball", "place": "the basket"},
        "bsktball",
        parts={("basket_goal", "hooplink"): "the hoop of the basket"},
    ),
}


class MetaWorldScene:
    """One recorded episode, played again from its actions."""

    absent_kinds: tuple[str, ...] = ()

    def __init__(self, episode: Episode) -> None:
        self._case, self._words = episode.case, TASKS[episode.case.task]
        executed = episode.arrays["executed"].astype(np.float64)
        self._replay, self._joints = replay(episode.case, executed)
        self._lamps = Lamps(self._replay)
        self._lights: dict[int, Light] = {}
        self._target = episode.arrays["scene.target"].astype(np.float64)
        kinds = {name: words.removeprefix("the ") for name, words in self._words.things.items()}
        self.things = tuple(
            ThingFacts(name, words, kinds[name], movable=name == self._words.moved and name not in _FIXED)
            for name, words in self._words.things.items()
        )
        moved = self._words.moved
        self.actions = (action(self._words.template, self._words.slots, 0, episode.length, moved),)

    @property
    def names(self) -> Mapping[int, str]:
        return self._replay.names

    def takes(
        self, cameras: Sequence[str], looks: Sequence[str], height: int, width: int
    ) -> tuple[Take, ...]:
        self.put(0)
        entropy = [int.from_bytes(self._case.task.encode(), "little"), self._case.seed, _STREAM]
        generator = np.random.default_rng(np.random.SeedSequence(entropy))
        takes = []
        for number, (name, look) in enumerate(product(cameras, looks)):
            light = random_light(generator) if look == RANDOM else Light()
            self._lights[number] = light
            camera = named_camera(self._replay, self._case.task, name, height, width)
            takes.append(Take(number, camera, look, light.facts()))
        return tuple(takes)

    def put(self, moment: int) -> None:
        self._replay.put(self._joints[moment])

    def view(self, take: Take) -> View:
        self._lamps.set(self._lights[take.number])
        return self._replay.view(take.camera, rgb=True, depth=True, segmentation=True)

    def solids(self) -> dict[str, Solid]:
        boxes = self._replay.boxes()
        return {name: Solid(name, *boxes[name]) for name in (*self._words.things, GRIPPER)}

    def long_side(self, name: str) -> Float[np.ndarray, "2"] | None:
        return None

    def moving(self, action: Action) -> tuple[str, Points] | None:
        return self._words.moving or self._words.things[self._words.moved], self._target

    def direct(self, number: int) -> bool:
        return True

    def part_words(self, thing: str, part: str) -> str:
        return self._words.parts.get((thing, part), "")


_FIXED = ("door", "drawer", "window", "box", "lever", "faucetBase")


def check_views(cameras: Sequence[str], looks: Sequence[str]) -> None:
    """Wrong names are answered before anything is simulated."""
    for name in cameras:
        if name not in VIEWS:
            raise UnknownName("Meta-World camera", name, VIEWS)
    for name in looks:
        if name not in (OWN, RANDOM):
            raise UnknownName("look", name, (OWN, RANDOM))
