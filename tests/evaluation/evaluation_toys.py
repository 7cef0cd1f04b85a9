"""A world of one number and an agent that pushes it up, fast enough for hundreds of episodes."""

import os
import signal
from pathlib import Path

import numpy as np
import torch
from evaluation_samples import imagined, picture

from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Decision, Event
from kinesight.types.errors import DataError
from kinesight.types.observation import Observation, StepResult, View, ViewRequest


class ToyWorld:
    """Solved where the sum of all actions reaches the goal that the seed draws."""

    action_spec = ActionSpec(("up",), ("m",), (1.0,))

    def __init__(self, case: Case) -> None:
        self.case = case
        self.goal = float(np.random.default_rng(case.seed).uniform(1, 9))

    def reset(self) -> StepResult:
        self.at, self.time = 0.0, 0
        return StepResult(0, False, False)

    def step(self, action: np.ndarray) -> StepResult:
        self.at += float(action[0])
        self.time += 1
        return StepResult(self.time, self.at >= self.goal, self.time >= 12)

    def observe(self, request: ViewRequest) -> Observation:
        proprio = np.array([self.at, 0, 0, 0, 0, 0, 1, 1])
        camera = Camera("corner", np.eye(3), np.eye(4), request.height, request.width)
        views = {
            name: View(camera, picture(10 * self.time, request.height))
            for name in request.cameras
            if request.rgb
        }
        return Observation(self.time, "push it up", views, proprio)


class Pusher:
    """Its pace is a sum over a tensor product, which depends on the number of threads."""

    privileged = ()

    def reset(self, case: Case) -> None:
        self.generator = torch.Generator().manual_seed(case.seed)

    def request(self) -> ViewRequest:
        return ViewRequest()

    def act(self, observation: Observation) -> Decision:
        weights = torch.randn(200, 200, generator=self.generator)
        pace = float((weights @ weights).mean()) * 0.01 + 0.5
        events = (Event(0, "imagine", "", imagined()),) if observation.step == 0 else ()
        if observation.step in (3, 6):
            events = (Event(observation.step, "goal", "reached"),)
        return Decision(np.array([pace]), events, {"act": 0.001})


class Crasher(Pusher):
    """Is killed at one seed until a file appears."""

    def __init__(self, seed: int, mended: Path) -> None:
        self.seed, self.mended = seed, mended

    def reset(self, case: Case) -> None:
        super().reset(case)
        if case.seed == self.seed and not self.mended.exists():
            raise KeyboardInterrupt("the power went out")


class Stumbler(Pusher):
    """Raises at its third step with some seeds."""

    def __init__(self, seeds: tuple[int, ...], error: BaseException) -> None:
        self.seeds, self.error = seeds, error

    def reset(self, case: Case) -> None:
        super().reset(case)
        self.seed = case.seed

    def act(self, observation: Observation) -> Decision:
        if observation.step == 2 and self.seed in self.seeds:
            raise self.error
        return super().act(observation)


class Killed(Pusher):
    """Its process is gone at the third step with some seeds, or when it is built."""

    def __init__(self, seeds: tuple[int, ...], at_once: bool = False) -> None:
        self.seeds = seeds
        if at_once:
            os.kill(os.getpid(), signal.SIGSEGV)

    def reset(self, case: Case) -> None:
        super().reset(case)
        self.seed = case.seed

    def act(self, observation: Observation) -> Decision:
        if observation.step == 2 and self.seed in self.seeds:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(observation)


class Unsettled(ToyWorld):
    """Cannot be reset with the seed 1."""

    def reset(self) -> StepResult:
        if self.case.seed == 1:
            raise DataError("every start is solved")
        return super().reset()
