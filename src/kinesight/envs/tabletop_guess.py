"""The expert that never heard the sentence: it does a task of the right kind with things drawn at random.

What it reaches is what sight and skill reach without language; a method that follows instructions has to be
better.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kinesight.envs.tabletop_expert import TableTopExpert
from kinesight.envs.tabletop_fixtures import CONTAINERS
from kinesight.envs.tabletop_layout import DIRECTIONS, Thing
from kinesight.envs.tabletop_steps import Clear, Press, Push, Put, PutAt, Screw, Slide, Step
from kinesight.envs.tabletop_tasks import Setting, draw
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, ViewRequest

_STREAM = 7
"""Keeps the guesses apart from the draw of the case."""


class InstructionBlindExpert:
    """The scripted expert with guessed steps."""

    privileged = ("scene",)

    def __init__(self) -> None:
        self._expert = TableTopExpert()

    def reset(self, case: Case) -> None:
        self._expert.reset(case)
        setting = draw(case)
        task = int.from_bytes(case.task.encode(), "little")
        generator = np.random.default_rng([task, case.seed, case.variation, _STREAM])
        self._expert.follow(replace(setting, steps=guessed(setting, generator)))

    def request(self) -> ViewRequest:
        return self._expert.request()

    def act(self, observation: Observation) -> Decision:
        return self._expert.act(observation)


def guessed(setting: Setting, generator: np.random.Generator) -> tuple[Step, ...]:
    """The steps with every named thing exchanged for one of the same role, every relation for any."""
    mates: dict[str, str] = {}

    def other(name: str) -> str:
        """One thing stays one thing through all steps, and two stay two."""
        if name not in mates:
            role = _role(_thing(setting, name))
            free = [t.name for t in setting.things if _role(t) == role and t.name not in mates.values()]
            mates[name] = free[int(generator.integers(len(free)))]
        return mates[name]

    return tuple(_guess(step, other, setting, generator) for step in setting.steps)


def _guess(step: Step, other: Callable[[str], str], setting: Setting, generator: np.random.Generator) -> Step:
    match step:
        case Put(item, place, relation):
            side = str(generator.choice(list(DIRECTIONS))) if relation else ""
            return Put(other(item), other(place), side)
        case Clear(item):
            moved = _thing(setting, other(item))
            return replace(step, item=moved.name, x=moved.x, y=moved.y)
        case PutAt(item, x, y):
            origin = next(t for t in setting.things if np.hypot(t.x - x, t.y - y) < 1e-9)
            there = _thing(setting, other(origin.name))
            return PutAt(other(item), there.x, there.y)
        case Press(button):
            return Press(other(button))
        case Push(item, mat):
            return Push(other(item), other(mat))
        case Screw(item, thread):
            return Screw(other(item), other(thread))
        case Slide():
            return step


def _thing(setting: Setting, name: str) -> Thing:
    return next(thing for thing in setting.things if thing.name == name)


def _role(thing: Thing) -> str:
    if thing.kind in CONTAINERS:
        return "container"
    return "object" if thing.type.movable and thing.kind not in ("lid", "bulb") else thing.kind
