"""Measured offsets that a planner may be told: how far it is from what to what, along a camera's plan axes.

Spatial Policy gives its planner the offset from the end effector to the object (Algorithm 1) and takes both
from the simulator; so does `SceneOffsets`. `PointOffsets` takes them from any source of points, such as one
that finds them in pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kinesight.geometry.plan_frame import offset_to_plan
from kinesight.interfaces.stages import PointSource, PointSources
from kinesight.types.arrays import Point
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName, UsageError, lookup
from kinesight.types.observation import Observation, ViewRequest

WAYS = {
    "from the gripper to the target": ("gripper", "target"),
    "from the target to where it belongs": ("target", "goal"),
}
"""What is measured, by the names of `Scene.points`."""


@runtime_checkable
class OffsetSource(Protocol):
    @property
    def request(self) -> ViewRequest:
        """What `measure` needs to see."""
        ...

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def measure(self, observation: Observation) -> Mapping[str, Point]:
        """Offsets [3] in metres along the plan axes, by a name that says from what to what (`WAYS`).

        A way to or from something that is hidden may be left out.
        """
        ...


@runtime_checkable
class OffsetSources(Protocol):
    """Gives every case its source, as `Planners` does with planners."""

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def for_case(self, case: Case, eyes: PointSource | None = None) -> OffsetSource:
        """`eyes` find points for the planner that stands by, if they do."""
        ...


@dataclass(frozen=True, slots=True)
class SceneOffsetSources:
    """`SceneOffsets` of each case's camera."""

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("scene",)

    def for_case(self, case: Case, eyes: PointSource | None = None) -> OffsetSource:
        return SceneOffsets(case.camera)


@dataclass(frozen=True, slots=True)
class SceneOffsets:
    """An `OffsetSource` that reads the simulator's poses; privileged."""

    camera: str
    """The view whose axes the offsets follow."""

    @property
    def request(self) -> ViewRequest:
        return ViewRequest(cameras=(self.camera,), height=1, width=1, rgb=False, scene=True)

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("scene",)

    def measure(self, observation: Observation) -> Mapping[str, Point]:
        if observation.scene is None:
            raise UsageError("Offsets of the scene need it; request it with ViewRequest(scene=True).")
        points = observation.scene.points
        for name in dict.fromkeys(name for ends in WAYS.values() for name in ends):
            lookup("scene point", name, points)
        return offsets_between(points, _camera(observation, self.camera))


@dataclass(frozen=True, slots=True)
class PointOffsetSources:
    """`PointOffsets` of each case's camera and source of points."""

    sources: PointSources | None = None
    """None: the eyes of the planner that stands by, which then remembers what was measured."""

    @property
    def privileged(self) -> tuple[str, ...]:
        return () if self.sources is None else self.sources.privileged

    def for_case(self, case: Case, eyes: PointSource | None = None) -> OffsetSource:
        source = eyes if self.sources is None else self.sources.for_case(case)
        if source is None:
            raise UsageError("offsets between points need a source of them, or a planner that finds some")
        return PointOffsets(case.camera, source)


@dataclass(frozen=True, slots=True)
class PointOffsets:
    """An `OffsetSource` between points that were found; it leaves out the ways of those that were not."""

    camera: str
    """The view whose axes the offsets follow."""
    source: PointSource

    @property
    def request(self) -> ViewRequest:
        return self.source.request

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.source.privileged

    def measure(self, observation: Observation) -> Mapping[str, Point]:
        return offsets_between(self.source.points(observation), _camera(observation, self.camera))


def offsets_between(points: Mapping[str, Point], camera: Camera) -> dict[str, Point]:
    """The ways both ends of which are among the points [3] in the world frame, along the plan axes."""
    return {
        name: offset_to_plan(points[end] - points[start], camera)
        for name, (start, end) in WAYS.items()
        if start in points and end in points
    }


def _camera(observation: Observation, name: str) -> Camera:
    if name not in observation.views:
        raise UnknownName("view of the observation", name, observation.views)
    return observation.views[name].camera
