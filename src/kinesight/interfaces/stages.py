"""The stages of the loop that can be exchanged: plan, imagine, act, check.

A planner says which plan it returns; an imaginer and a policy say what they accept, so that a combination
that does not fit is refused when it is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int

from kinesight.types.action import ActionChunk
from kinesight.types.arrays import Depth, Image, Point, Video
from kinesight.types.case import Case
from kinesight.types.decision import Verdict
from kinesight.types.observation import Observation, View, ViewRequest
from kinesight.types.plan import Feedback, SpatialPlan
from kinesight.types.prediction import Prediction
from kinesight.types.segments import Segments
from kinesight.types.video import ImaginedVideo

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Planner(Protocol):
    @property
    def request(self) -> ViewRequest:
        """What `plan` needs to see."""
        ...

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def plan(
        self, observation: Observation, instruction: str, feedback: Feedback | None = None
    ) -> SpatialPlan: ...


@runtime_checkable
class Planners(Protocol):
    """Gives every case its planner: one may be made for a task and a camera, another serve all."""

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def for_case(self, case: Case) -> Planner: ...


@runtime_checkable
class PointSource(Protocol):
    """Says where the named points of a scene are, as `Scene.points`; what it cannot find is missing.

    One episode each: it may remember what it saw.
    """

    @property
    def request(self) -> ViewRequest:
        """What `points` needs to see."""
        ...

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def points(self, observation: Observation) -> Mapping[str, Point]: ...


@runtime_checkable
class PointSources(Protocol):
    """Gives every case its source, as `Planners` does with planners."""

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def for_case(self, case: Case) -> PointSource: ...


@runtime_checkable
class Sighted(Protocol):
    """A planner that finds points in pictures. Others that need some in its episode ask the same source, so
    that all of them remember what one has seen."""

    @property
    def eyes(self) -> PointSource | None:
        """None where this one, of a kind that may, finds none."""
        ...


def eyes_of(planner: Planner | None) -> PointSource | None:
    return planner.eyes if isinstance(planner, Sighted) else None


@runtime_checkable
class Segmenter(Protocol):
    """Divides a view into instances, with names where it knows them."""

    @property
    def request(self) -> ViewRequest:
        """Which pictures `segment` needs; of any camera and size."""
        ...

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def segment(self, view: View) -> Segments: ...


@runtime_checkable
class Imaginer(Protocol):
    @property
    def request(self) -> ViewRequest: ...

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def reset(self, case: Case) -> None:
        """An episode begins. A learned imaginer has nothing to do; one that replays recordings has."""
        ...

    def imagine(
        self, observation: Observation, plan: SpatialPlan | None, generator: torch.Generator
    ) -> ImaginedVideo: ...


@runtime_checkable
class Policy(Protocol):
    @property
    def request(self) -> ViewRequest: ...

    def act(
        self, observation: Observation, goal: Image | None, generator: torch.Generator
    ) -> ActionChunk: ...


@runtime_checkable
class Monitor(Protocol):
    """Watches an episode step by step."""

    def reset(self) -> None: ...

    def update(self, observation: Observation) -> Verdict: ...


@runtime_checkable
class Critic(Protocol):
    """Judges an imagined video before it is followed; `observation` is what it was imagined from.

    The score in [0, 1] orders videos: of several that are all rejected the highest is kept. A critic that
    fails says so in the verdict's reason and decides what then counts; it does not raise.
    """

    def judge(self, video: ImaginedVideo, observation: Observation) -> Verdict: ...


@runtime_checkable
class Predictor(Protocol):
    """A joint model: it imagines and acts in one call, from what was seen so far."""

    @property
    def request(self) -> ViewRequest:
        """Of all cameras that it was trained on."""
        ...

    def view(self, camera: str) -> ViewRequest:
        """What it looks at where an episode is shown by this camera."""
        ...

    @property
    def horizon(self) -> int:
        """Actions predicted at once."""
        ...

    @property
    def ahead(self) -> int:
        """Steps to the frame that it imagines, 0 if it imagines none."""
        ...

    @property
    def draws_depth(self) -> bool:
        """Whether that frame has depth."""
        ...

    @property
    def offsets(self) -> tuple[int, ...]:
        """Steps of the frames that it looks at, from the present one; rising, the last is 0."""
        ...

    def predict(
        self, history: Sequence[Observation], valid: Sequence[bool], generator: torch.Generator
    ) -> Prediction:
        """`valid` is False for a frame that stands in for one before the episode."""
        ...


@runtime_checkable
class Foresight(Protocol):
    """Tells in codes what happened in a clip, and draws what codes say will happen."""

    @property
    def steps(self) -> tuple[int, ...]:
        """Of the key frames after the present one."""
        ...

    @property
    def depth(self) -> bool:
        """Whether drawing needs the depth of the present frame."""
        ...

    def codes_of(self, clip: Video) -> Int[np.ndarray, "t n"]: ...

    def draw(self, now: Image, depth_m: Depth | None, codes: Int[np.ndarray, "t n"]) -> Video: ...


@runtime_checkable
class MaskFollower(Protocol):
    """Masks of the first frame -> masks of every frame."""

    def follow(self, rgb: Video, masks: Bool[np.ndarray, "n y x"]) -> Bool[np.ndarray, "t n y x"]: ...
