"""What lies where: things, layouts, and reading a simulation's state without the simulator.

World frame: metres, z up, the table's top at z = 0, the robot's base at the origin, reaching towards +y. The
front camera looks back at the robot, so left in its picture is +x and nearer to the camera is +y; the words
"left of", "right of", "in front of" and "behind" mean what that picture shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from kinesight.envs.tabletop_fixtures import KINDS
from kinesight.envs.tabletop_kinds import SIZES, Kind
from kinesight.types.arrays import Matrix3, Point
from kinesight.types.errors import lookup

ROBOT_QPOS = 9
POSE = 7
"""Position and quaternion wxyz."""
REACH_X, REACH_Y = (-0.28, 0.28), (0.44, 0.76)
"""Where things are put."""
DIRECTIONS: dict[str, tuple[float, float]] = {
    "left of": (1.0, 0.0),
    "right of": (-1.0, 0.0),
    "in front of": (0.0, 1.0),
    "behind": (0.0, -1.0),
}
"""Relation, as the front camera shows it -> unit vector (x, y)."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object, container or fixture at its place."""

    name: str
    """Unique in the layout."""
    kind: str
    colour: str = ""
    size: str = "medium"
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    z: float = 0.0
    """Height of what it stands on."""
    digit: int | None = None
    """Printed beside a button."""
    opened: float = 0.0
    """Initial position of its joint: metres a drawer is pulled out."""

    @property
    def type(self) -> Kind:
        return lookup("kind of thing", self.kind, KINDS)

    @property
    def scale(self) -> float:
        return SIZES[self.size]

    @property
    def height_m(self) -> float:
        return self.type.height_m * self.scale

    @property
    def radius_m(self) -> float:
        return self.type.radius_m * self.scale

    def at(self, x: float, y: float, yaw: float | None = None) -> "Thing":
        return replace(self, x=x, y=y, yaw=self.yaw if yaw is None else yaw)


@dataclass(frozen=True)
class TableState:
    """A scene's state vector [qpos, qvel, zeros, set point 7, hand 7] by the names of its things.

    The hand's pose and the set point it follows have quaternions wxyz.
    """

    things: Sequence[Thing]
    vector: Float[np.ndarray, "d"]

    @cached_property
    def _slots(self) -> dict[str, tuple[int, int]]:
        """Name -> where its joints begin in qpos and qvel."""
        slots, position, velocity = {}, ROBOT_QPOS, ROBOT_QPOS
        for thing in self.things:
            slots[thing.name] = position, velocity
            position += POSE if thing.type.movable else thing.type.joints
            velocity += 6 if thing.type.movable else thing.type.joints
        return {**slots, "": (position, velocity)}

    @property
    def _qvel_at(self) -> int:
        return self._slots[""][0]

    def position(self, name: str) -> Point:
        """Centre of the thing's base."""
        thing = self.thing(name)
        if not thing.type.movable:
            return np.array([thing.x, thing.y, thing.z])
        start = self._slots[name][0]
        return self.vector[start : start + 3]

    def rotation(self, name: str) -> Matrix3:
        thing = self.thing(name)
        if not thing.type.movable:
            return rotation_z(thing.yaw)
        start = self._slots[name][0] + 3
        return rotation_wxyz(self.vector[start : start + 4])

    def yaw(self, name: str) -> float:
        turn = self.rotation(name)
        return float(np.arctan2(turn[1, 0], turn[0, 0]))

    def centre(self, name: str) -> Point:
        """Middle of the thing, half its height above its base."""
        up = self.rotation(name)[:, 2]
        return self.position(name) + up * self.thing(name).height_m / 2

    def upright(self, name: str) -> bool:
        return bool(self.rotation(name)[2, 2] > 0.9)

    def speed(self, name: str) -> float:
        """Of a movable thing [m/s]."""
        start = self._qvel_at + self._slots[name][1]
        return float(np.linalg.norm(self.vector[start : start + 3]))

    def joint(self, name: str, index: int = 0) -> float:
        """Position of a fixture's joint [m or rad]."""
        return float(self.vector[self._slots[name][0] + index])

    @property
    def set_point(self) -> Float[np.ndarray, "7"]:
        return self.vector[-2 * POSE : -POSE]

    @property
    def hand(self) -> Float[np.ndarray, "7"]:
        return self.vector[-POSE:]

    def thing(self, name: str) -> Thing:
        return lookup("thing on the table", name, {thing.name: thing for thing in self.things})


def rotation_z(yaw: float) -> Matrix3:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotation_wxyz(quaternion: Float[np.ndarray, "4"]) -> Matrix3:
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
