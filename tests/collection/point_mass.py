"""A point mass that has to reach a target, seen by cameras that draw two dots; and its scripted expert."""

import time
from dataclasses import replace
from functools import partial

import numpy as np

from kinesight.collection.collect import CollectionConfig
from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.case import SHIFT_STEPS, Case
from kinesight.types.decision import Decision, Event
from kinesight.types.errors import KinesightError, UnknownName
from kinesight.types.observation import Observation, Scene, StepResult, View, ViewRequest

TASKS = ("near", "far")
CAMERAS = ("front", "side")
SPEC = ActionSpec(("x", "y", "z", "gripper"), ("m", "m", "m", "opening"), (0.1, 0.1, 0.1, 1.0))
POSES = {
    "front": np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -4], [0, 0, 0, 1]]),
    "side": np.array([[0.0, 0, -1, 4], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
}
"""From 4 m; points beside the axes are drawn as by a camera far away."""
CONFIG = CollectionConfig(
    env="point",
    tasks=TASKS,
    episodes=4,
    cameras=CAMERAS,
    height=12,
    width=16,
    depth=True,
    segmentation=True,
    noise_std=0.2,
    hold_steps=2,
    limit=60,
    fps=10.0,
)


class PointMass:
    def __init__(self, case: Case, limit: int, delay_s: float = 0.0) -> None:
        if case.task not in TASKS:
            raise UnknownName("task", case.task, TASKS)
        self.case = case
        self.action_spec = SPEC
        self._limit = limit
        self._delay_s = delay_s
        self._step = -1

    def reset(self) -> StepResult:
        generator = np.random.default_rng([self.case.seed, TASKS.index(self.case.task)])
        scale = 1.0 if self.case.task == "far" else 0.5
        self._target = scale * generator.uniform(-1, 1, 3)
        self._position = np.zeros(3)
        if self.case.start == "shifted":
            self._position = SHIFT_STEPS * 0.02 * generator.uniform(-1, 1, 3)
        self._step = 0
        return StepResult(0, self._success(), False)

    def step(self, action: np.ndarray) -> StepResult:
        if self._step >= self._limit:
            raise KinesightError("truncated")
        time.sleep(self._delay_s)
        assert np.all(np.abs(action) <= 1)
        self._position = self._position + 0.1 * action[:3]
        self._step += 1
        return StepResult(self._step, self._success(), self._step >= self._limit)

    def _success(self) -> bool:
        return bool(np.linalg.norm(self._position - self._target) < 0.08)

    def observe(self, request: ViewRequest) -> Observation:
        points = {
            "target": self._target.copy(),
            "goal": self._target.copy(),
            "gripper": self._position.copy(),
        }
        return Observation(
            step=self._step,
            instruction=f"go {self.case.task}",
            views={name: self._view(name, request) for name in request.cameras},
            proprio=np.concatenate([self._position, [0, 0, 0, 1, 0.5]]).astype(np.float32),
            scene=Scene(points, np.concatenate([self._position, self._target])) if request.scene else None,
        )

    def _view(self, name: str, request: ViewRequest) -> View:
        height, width = request.height, request.width
        K = np.array([[width, 0, width / 2], [0, height, height / 2], [0, 0, 1]])
        camera = Camera(name, K, POSES[name], height, width)
        ids = np.zeros((height, width), np.int32)
        for number, point in enumerate((self._target, self._position), start=1):
            x, y = (point[[0, 1]] if name == "front" else point[[2, 1]]) / 4 + 0.5
            ids[int(np.clip(y, 0, 0.99) * height), int(np.clip(x, 0, 0.99) * width)] = number
        return View(
            camera,
            rgb=(ids[..., None] * np.array([100, 50, 25])).astype(np.uint8) if request.rgb else None,
            depth_m=np.full((height, width), 1.0 + self._position[2], np.float32) if request.depth else None,
            segmentation=ids if request.segmentation else None,
            names={0: "background", 1: "target", 2: "robot"} if request.segmentation else {},
        )


class Expert:
    """Goes to the target; of every fifth seed it goes the other way. Noise is drawn from the case."""

    privileged = ("scene",)

    def __init__(self, noise_std: float) -> None:
        self._noise_std = noise_std

    def reset(self, case: Case) -> None:
        self._generator = np.random.default_rng([case.seed, TASKS.index(case.task), 7])
        self._sign = -1.0 if case.seed % 5 == 3 else 1.0
        self._steps = 0

    def request(self) -> ViewRequest:
        return ViewRequest(scene=True)

    def act(self, observation: Observation) -> Decision:
        assert observation.scene is not None
        way = self._sign * (observation.scene.points["target"] - observation.proprio[:3])
        label = np.append(5 * way, 1.5)
        clean = np.clip(label, -1, 1)
        action = np.clip(clean + self._noise_std * self._generator.standard_normal(4), -1, 1)
        events = (Event(self._steps, "start", "first step"),) if self._steps == 0 else ()
        self._steps += 1
        return Decision(action, events, {"act": 0.001}, label=label)


def make_environment(case: Case, limit: int, delay_s: float = 0.0) -> PointMass:
    return PointMass(case, limit, delay_s)


slow_environment = partial(make_environment, delay_s=0.01)


def make_expert(name: str, case: Case, noise_std: float) -> Expert:
    return Expert(noise_std)


def case(**changes) -> Case:
    return replace(Case("point", "near", 1000, "front"), **changes)
