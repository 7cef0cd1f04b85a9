"""What a system imagines beside what the expert then shows: what the pictures of all systems share."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from kinesight.agents.episode import run_episode
from kinesight.envs import catalogue as envs
from kinesight.interfaces.environment import Environment
from kinesight.types.arrays import Image, Video
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.plan import SpatialPlan
from kinesight.types.results import EpisodeResult

STRIP_HEIGHT = 160


@dataclass(frozen=True, slots=True)
class Imagined:
    """An imagined future beside the expert's."""

    plan: SpatialPlan | None
    """What it was imagined by; None of a system that has no plans."""
    picture: Image
    error: float
    """Mean absolute difference over pixels that move, of the full range."""
    copy_error: float
    """The same for a video that repeats the first frame."""
    depth: bool = False
    """Whether the picture has two more rows, of depth."""


def watched_expert(case: Case, first: ViewRequest, later: ViewRequest) -> list[Observation]:
    """What is seen of the expert's episode, at its first step and at later ones."""
    watcher = _Watcher(first, later)
    run_episode(envs.make_case(case), envs.expert(case.env, case), (watcher,))
    return watcher.seen


class _Watcher:
    """A subscriber that looks at every step."""

    def __init__(self, first: ViewRequest, later: ViewRequest) -> None:
        self.first, self.later = first, later
        self.seen: list[Observation] = []

    def start(self, case: Case, environment: Environment) -> None:
        self.environment = environment
        self.seen = [environment.observe(self.first)]

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self.seen.append(self.environment.observe(self.later))

    def end(self, result: EpisodeResult) -> None:
        return None


def above(*rows: Video) -> UInt8[np.ndarray, "height width 3"]:
    """Videos below each other, with a white line between two."""
    line = np.full((4, STRIP_HEIGHT * len(rows[0]), 3), 255, np.uint8)
    return np.concatenate([part for video in rows for part in (line, _strip(video))][1:])


def _strip(frames: Video) -> UInt8[np.ndarray, "height width 3"]:
    size = (STRIP_HEIGHT, STRIP_HEIGHT)
    return np.concatenate([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in frames], axis=1)
