"""Colours, sizes, and how a kind of thing is described: primitives in its own frame.

A kind's frame has its origin at the centre of its base, z up; lengths are metres, angles radians. Everything
is plain data, so that tasks and experts can ask for heights and widths without a simulator. Real objects of
the names that groceries carry are imitated in shape and colour only.
"""

from dataclasses import dataclass
from typing import Literal

Shape = Literal["box", "cylinder", "sphere", "capsule", "ellipsoid"]
Colour = tuple[float, float, float]

COLOURS: dict[str, Colour] = {
    "red": (0.86, 0.10, 0.10),
    "green": (0.10, 0.58, 0.16),
    "blue": (0.12, 0.28, 0.90),
    "yellow": (0.97, 0.83, 0.10),
    "orange": (0.98, 0.50, 0.06),
    "purple": (0.47, 0.14, 0.66),
    "cyan": (0.15, 0.83, 0.88),
    "magenta": (0.90, 0.12, 0.75),
    "white": (0.95, 0.95, 0.93),
    "black": (0.06, 0.06, 0.07),
    "gray": (0.50, 0.51, 0.53),
    "pink": (0.98, 0.62, 0.72),
    "lime": (0.60, 0.95, 0.16),
    "navy": (0.06, 0.09, 0.40),
    "teal": (0.03, 0.45, 0.45),
    "brown": (0.45, 0.25, 0.10),
    "maroon": (0.45, 0.04, 0.13),
    "olive": (0.46, 0.46, 0.08),
    "azure": (0.28, 0.60, 0.98),
    "violet": (0.70, 0.50, 0.95),
}
"""Twenty names -> RGB in 0 … 1."""

SIZES: dict[str, float] = {"small": 0.78, "medium": 1.0, "large": 1.22}
"""Name -> factor on every length."""


@dataclass(frozen=True, slots=True)
class Part:
    """A primitive; `size` holds MuJoCo's half lengths; turned by `tilt` about x, then by `yaw` about z."""

    shape: Shape
    size: tuple[float, ...]
    at: tuple[float, float, float]
    yaw: float = 0.0
    tilt: float = 0.0
    colour: str | Colour = ""
    """"" is the object's own colour."""
    material: str = ""
    """Name of a texture of the model, e.g. "digit 3"; drawn on the top."""
    solid: bool = True
    """Takes part in collisions."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of objects; sizes are those of factor 1."""

    parts: tuple[Part, ...]
    height_m: float
    radius_m: float
    """Of the smallest circle about the origin that holds it, seen from above."""
    movable: bool = True
    grip_height_m: float = 0.0
    """Where the fingers' tips should be above the base; 0 for what is not gripped."""
    grip_yaw: float = 0.0
    """Direction in which the fingers close, about z from the object's x axis; the opposite is as good."""
    grip_symmetry: int = 1
    """The grasp repeats every pi / grip_symmetry."""
    mass_kg: float = 0.06
    category: str = ""
    stackable: bool = False
    """Flat above and below."""
    floor_m: float = 0.0
    """Height of the surface that carries what is put in or on."""
    inner_radius_m: float = 0.0
    """Radius of that surface; an object counts as inside when its centre is nearer."""
    joints: int = 0
    """Of a fixture: a button's and a drawer's slide, a thread's hinge and slide."""


def cuboid(
    x: float,
    y: float,
    z: float,
    bottom: float = 0.0,
    *,
    yaw: float = 0.0,
    colour: str | Colour = "",
    solid: bool = True,
) -> Part:
    """A box of full lengths x, y, z standing at height `bottom`."""
    return Part("box", (x / 2, y / 2, z / 2), (0.0, 0.0, bottom + z / 2), yaw=yaw, colour=colour, solid=solid)


def upright(
    radius: float, height: float, bottom: float = 0.0, *, colour: str | Colour = "", solid: bool = True
) -> Part:
    size = (radius, height / 2)
    return Part("cylinder", size, (0.0, 0.0, bottom + height / 2), colour=colour, solid=solid)
