"""One task in the scene of another that begins alike: its scripted expert, its target and goal.

The expert's frames are goals that belong to the scene and not to the task: an agent that follows its goals
turns the faucet off where it was told to turn it on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kinesight.interfaces.agent import Agent
from kinesight.types.arrays import Point
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import lookup
from kinesight.types.observation import Observation, Scene, ViewRequest


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a task of Meta-World's faucet has its points; x and y from the lever's axis, lever at rest."""

    target_m: tuple[float, float]
    """On the side of the lever's tip that is pushed; it turns with the lever."""
    goal_m: tuple[float, float]


TURNS: dict[str, Turn] = {
    "faucet-open": Turn((-0.015, -0.175), (0.175, 0.0)),
    "faucet-close": Turn((0.015, -0.175), (-0.175, 0.0)),
}


class CounterpartExpert:
    """Does the counterpart of whatever task it is reset to."""

    def __init__(self, expert: Agent, counterparts: Mapping[str, str]) -> None:
        self._expert, self._counterparts = expert, counterparts

    @property
    def privileged(self) -> tuple[str, ...]:
        return self._expert.privileged

    def reset(self, case: Case) -> None:
        other = lookup("task with a counterpart in its scene", case.task, self._counterparts)
        self._expert.reset(replace(case, task=other))

    def request(self) -> ViewRequest:
        return self._expert.request()

    def act(self, observation: Observation) -> Decision:
        return self._expert.act(observation)


def counterpart_scene(task: str, scene: Scene) -> Scene:
    """The scene of a task with target and goal of its counterpart there; heights are the same."""
    own = lookup("task with a counterpart in its scene", task, TURNS)
    (other,) = (turn for name, turn in TURNS.items() if name != task)
    target, goal = (complex(*scene.points[name][:2]) for name in ("target", "goal"))
    axis = goal - complex(*own.goal_m)
    turned = (target - axis) / complex(*own.target_m)
    points = {
        **scene.points,
        "target": _moved(scene.points["target"], axis + turned * complex(*other.target_m)),
        "goal": _moved(scene.points["goal"], axis + complex(*other.goal_m)),
    }
    return replace(scene, points=points)


def _moved(point: Point, there: complex) -> Point:
    return np.array([there.real, there.imag, point[2]])
