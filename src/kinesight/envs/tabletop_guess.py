"""Doing without the sentence: an expert that never heard it, and any agent that is told another one.

Both do a task of the right kind with things drawn at random, the same things in the same case. What they
reach is what sight and skill reach without language; a method that follows instructions has to be better.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kinesight.envs.tabletop_expert import TableTopExpert
from kinesight.envs.tabletop_fixtures import CONTAINERS
from kinesight.envs.tabletop_layout import DIRECTIONS, TableState, Thing
from kinesight.envs.tabletop_steps import Clear, Press, Push, Put, PutAt, Screw, Slide, Step, done, points
from kinesight.envs.tabletop_tasks import Setting, draw
from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, Scene, ViewRequest

_STREAM = 7
"""Keeps the guesses apart from the draw of the case."""


class GuessingExpert:
    """The scripted expert with guessed steps."""

    privileged = ("scene",)

    def __init__(self) -> None:
        self._expert = TableTopExpert()

    def reset(self, case: Case) -> None:
        self._expert.reset(case)
        self._expert.follow(guess(case))

    def request(self) -> ViewRequest:
        return self._expert.request()

    def act(self, observation: Observation) -> Decision:
        return self._expert.act(observation)


class ToldOtherwise:
    """An agent that hears the guessed steps' sentence and, in the scene, finds their target and goal."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    @property
    def privileged(self) -> tuple[str, ...]:
        return self._agent.privileged

    def reset(self, case: Case) -> None:
        self._setting = guess(case)
        self._index = 0
        self._agent.reset(case)

    def request(self) -> ViewRequest:
        return self._agent.request()

    def act(self, observation: Observation) -> Decision:
        sentence = ", then ".join(step.text for step in self._setting.steps)
        scene = None if observation.scene is None else self._seen_otherwise(observation.scene)
        return self._agent.act(replace(observation, instruction=sentence, scene=scene))

    def _seen_otherwise(self, scene: Scene) -> Scene:
        steps, state = self._setting.steps, TableState(self._setting.things, scene.state)
        while self._index + 1 < len(steps) and done(steps[self._index], state):
            self._index += 1
        target, goal = points(steps[self._index], state)
        return replace(scene, points={**scene.points, "target": target, "goal": goal})


def guess(case: Case) -> Setting:
    """The case with steps that nobody asked for; the same ones at every call."""
    setting = draw(case)
    task = int.from_bytes(case.task.encode(), "little")
    generator = np.random.default_rng([task, case.seed, case.variation, _STREAM])
    return replace(setting, steps=guessed(setting, generator))


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
            item, place = other(item), other(place)
            return Put(item, place, side, f"put the {item} {side or 'into'} the {place}")
        case Clear(item):
            moved = _thing(setting, other(item))
            return replace(step, item=moved.name, x=moved.x, y=moved.y, text=f"set the {moved.name} aside")
        case PutAt(item, x, y):
            origin = next(t for t in setting.things if np.hypot(t.x - x, t.y - y) < 1e-9)
            there = _thing(setting, other(origin.name))
            item = other(item)
            return PutAt(item, there.x, there.y, f"put the {item} where the {there.name} was")
        case Press(button):
            return Press(other(button), f"press the {other(button)}")
        case Push(item, mat):
            item, mat = other(item), other(mat)
            return Push(item, mat, f"push the {item} onto the {mat}")
        case Screw(item, thread):
            item, thread = other(item), other(thread)
            return Screw(item, thread, f"screw the {item} onto the {thread}")
        case Slide(drawer, opened):
            return Slide(other(drawer), opened, f"{'open' if opened else 'close'} the {other(drawer)}")


def _thing(setting: Setting, name: str) -> Thing:
    return next(thing for thing in setting.things if thing.name == name)


def _role(thing: Thing) -> str:
    if thing.kind in CONTAINERS:
        return "container"
    return "object" if thing.type.movable and thing.kind not in ("lid", "bulb") else thing.kind
