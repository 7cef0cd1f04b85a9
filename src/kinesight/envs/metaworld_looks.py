"""Four looks of Meta-World's room, to train in three and act in the fourth, as CALVIN's ABC → D asks.

A look changes pictures only, never what happens: the table's texture, the tints of floor, wall and sky, the
lights, and where the cameras stand. Each has its own place of the cameras and a jitter around it, drawn from
the case's seed; so is the look, where the split names several. Without a split Meta-World looks as it is.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinesight.types.arrays import Matrix4
from kinesight.types.case import Case
from kinesight.types.errors import lookup

Colour = tuple[float, float, float]
PIVOT_M = (0.0, 0.65, 0.1)
"""The middle of the working space: cameras swing about it, so that it stays in the middle of the picture."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the cameras stand, relative to Meta-World's own place."""

    yaw_degrees: float = 0.0
    """Round the vertical through the pivot."""
    pitch_degrees: float = 0.0
    """Up and over the pivot."""
    away: float = 0.0
    """Share by which the distance to the pivot is longer."""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that can be seen and not touched."""

    table: str
    """Name in `TABLES` of envs/tabletop_looks.py."""
    floor: Colour
    """Factor on the floor's texture."""
    wall: Colour
    """Factor on the low metal wall around the table."""
    sky: Colour
    """What is behind everything."""
    ambient: Colour
    """Light from everywhere."""
    lamps: tuple[Colour, Colour, Colour]
    """Colours of the three lamps."""
    lamps_to: tuple[Colour, Colour, Colour]
    """Directions (x, y, z) in which they shine."""
    stand: Stand
    jitter: Stand = Stand(1.5, 1.0, 0.015)
    """Half widths of the even draws around `stand`."""


LOOKS: dict[str, Look] = {
    "A": Look(
        table="oak",
        floor=(1.0, 0.95, 0.9),
        wall=(1.0, 0.95, 0.88),
        sky=(0.55, 0.53, 0.49),
        ambient=(0.36, 0.35, 0.33),
        lamps=((0.34, 0.33, 0.3), (0.3, 0.3, 0.3), (0.22, 0.22, 0.22)),
        lamps_to=((1.0, 1.0, -1.0), (-1.0, 1.0, -1.0), (0.0, -1.0, -1.0)),
        stand=Stand(0.0, 0.0, 0.0),
    ),
    "B": Look(
        table="grey laminate",
        floor=(0.55, 0.6, 0.68),
        wall=(0.62, 0.68, 0.78),
        sky=(0.44, 0.5, 0.58),
        ambient=(0.3, 0.33, 0.38),
        lamps=((0.12, 0.13, 0.16), (0.48, 0.5, 0.55), (0.14, 0.15, 0.18)),
        lamps_to=((1.0, 1.0, -1.0), (-0.6, 0.5, -1.0), (0.0, -1.0, -1.0)),
        stand=Stand(4.0, 1.0, 0.02),
    ),
    "C": Look(
        table="walnut",
        floor=(0.85, 0.72, 0.6),
        wall=(0.85, 0.7, 0.55),
        sky=(0.62, 0.58, 0.5),
        ambient=(0.34, 0.31, 0.27),
        lamps=((0.5, 0.46, 0.38), (0.14, 0.13, 0.12), (0.18, 0.17, 0.15)),
        lamps_to=((0.7, 0.4, -1.0), (-1.0, 1.0, -1.0), (0.0, -1.0, -1.0)),
        stand=Stand(-4.0, 1.0, -0.01),
    ),
    "D": Look(
        table="slate",
        floor=(0.62, 0.78, 0.62),
        wall=(0.55, 0.72, 0.6),
        sky=(0.66, 0.72, 0.66),
        ambient=(0.44, 0.45, 0.44),
        lamps=((0.16, 0.18, 0.16), (0.16, 0.16, 0.16), (0.42, 0.44, 0.4)),
        lamps_to=((1.0, 1.0, -1.0), (-1.0, 1.0, -1.0), (0.5, -0.6, -1.0)),
        stand=Stand(1.0, -3.0, 0.04),
    ),
}

SPLITS: dict[str, tuple[str, ...]] = {
    "": (),
    "train": (),
    **{name: (name,) for name in LOOKS},
    "ABC": ("A", "B", "C"),
}
"""Split of a case -> the looks that are drawn from; none is Meta-World's own. "ABC" is for training."""


def draw(case: Case) -> tuple[str, Stand] | None:
    """The look of a case, by name, and where the cameras stand; None is Meta-World's own, untouched.

    Drawn from the seed alone, so that it stays the same in all tasks of a chain.
    """
    names = lookup("Meta-World split", case.split, SPLITS)
    if not names:
        return None
    generator = np.random.default_rng(np.random.SeedSequence([int.from_bytes(b"look"), case.seed]))
    name = names[int(generator.integers(len(names)))]
    look = LOOKS[name]
    yaw, pitch, away = generator.uniform(-1.0, 1.0, size=3)
    stand = Stand(
        look.stand.yaw_degrees + look.jitter.yaw_degrees * yaw,
        look.stand.pitch_degrees + look.jitter.pitch_degrees * pitch,
        look.stand.away + look.jitter.away * away,
    )
    return name, stand


def placed(T_world_camera: Matrix4, stand: Stand) -> Matrix4:
    """The camera's pose after it was swung about the pivot and moved away from it."""
    pivot = np.array(PIVOT_M)
    yaw = _rotation(np.array([0.0, 0.0, 1.0]), stand.yaw_degrees)
    pitch = _rotation(
        T_world_camera[:3, 0], -stand.pitch_degrees
    )  # about the picture's x axis; up is positive
    turn = yaw @ pitch
    pose = np.eye(4)
    pose[:3, :3] = turn @ T_world_camera[:3, :3]
    pose[:3, 3] = pivot + (1.0 + stand.away) * turn @ (T_world_camera[:3, 3] - pivot)
    return pose


def _rotation(axis: Float[np.ndarray, "3"], degrees: float) -> Float[np.ndarray, "3 3"]:
    """Rodrigues' formula; the axis has length 1."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
