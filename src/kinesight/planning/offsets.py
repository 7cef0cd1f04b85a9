"""Measured offsets that a planner may be told: how far it is from what to what, along a camera's plan axes.

Spatial Policy gives its planner the offset from the end effector to the object (Algorithm 1) and takes both
from the simulator; so does `SceneOffsets`. A source that measures pictures fulfils the same
protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kinesight.geometry.plan_frame import offset_to_plan
from kinesight.types.arrays import Point
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
        """Offsets [3] in metres along the plan axes, by a name that says from what to what."""
        ...


@runtime_checkable
class OffsetSources(Protocol):
    """Gives every case its source, as `Planners` does with planners."""

    @property
    def privileged(self) -> tuple[str, ...]: ...

    def for_case(self, case: Case) -> OffsetSource: ...


@dataclass(frozen=True, slots=True)
class SceneOffsetSources:
    """`SceneOffsets` of each case's camera."""

    @property
    def privileged(self) -> tuple[str, ...]:
        return ("scene",)

    def for_case(self, case: Case) -> OffsetSource:
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
        if self.camera not in observation.views:
            raise UnknownName("view of the observation", self.camera, observation.views)
        camera, points = observation.views[self.camera].camera, observation.scene.points
        return {
            name: offset_to_plan(
                lookup("scene point", end, points) - lookup("scene point", start, points), camera
            )
            for name, (start, end) in WAYS.items()
        }
