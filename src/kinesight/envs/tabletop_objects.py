"""What lies and stands on the table: kinds of objects, containers and fixtures, built from primitives.

A kind's frame has its origin at the centre of its base, z up; lengths are metres, angles radians. Everything
is plain data, so that tasks and experts can ask for heights and widths without a simulator. Real objects of
the names that groceries carry are imitated in shape and colour only.
"""

from dataclasses import dataclass, replace
from math import cos, pi, sin, tan
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

LOOKALIKES: dict[str, str] = {
    "red": "maroon",
    "green": "lime",
    "blue": "navy",
    "yellow": "olive",
    "orange": "brown",
    "purple": "violet",
    "cyan": "teal",
    "magenta": "pink",
    "white": "gray",
    "black": "gray",
    "gray": "white",
    "pink": "magenta",
    "lime": "green",
    "navy": "blue",
    "teal": "cyan",
    "brown": "orange",
    "maroon": "red",
    "olive": "yellow",
    "azure": "blue",
    "violet": "purple",
}
"""The colour that is most easily mistaken for it, for distractors."""

SIZES: dict[str, float] = {"small": 0.78, "medium": 1.0, "large": 1.22}
"""Name -> factor on every length."""


@dataclass(frozen=True, slots=True)
class Part:
    """One primitive; `size` holds half lengths in MuJoCo's order, `tilt` turns about x after `yaw` about z."""

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


def _cuboid(
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


def _upright(
    radius: float, height: float, bottom: float = 0.0, *, colour: str | Colour = "", solid: bool = True
) -> Part:
    size = (radius, height / 2)
    return Part("cylinder", size, (0.0, 0.0, bottom + height / 2), colour=colour, solid=solid)


SHAPES: dict[str, Kind] = {
    "cube": Kind(
        (_cuboid(0.042, 0.042, 0.042),), 0.042, 0.030, grip_height_m=0.020, grip_symmetry=2, stackable=True
    ),
    "brick": Kind((_cuboid(0.074, 0.034, 0.034),), 0.034, 0.041, grip_height_m=0.016, grip_yaw=pi / 2),
    "cylinder": Kind(
        (_upright(0.021, 0.052),), 0.052, 0.021, grip_height_m=0.028, grip_symmetry=8, stackable=True
    ),
    "ball": Kind(
        (Part("sphere", (0.022,), (0.0, 0.0, 0.022)),), 0.044, 0.022, grip_height_m=0.020, grip_symmetry=8
    ),
    "hexagon": Kind(
        tuple(_cuboid(0.0260, 0.045, 0.036, yaw=turn * pi / 3) for turn in range(3)),
        0.036,
        0.026,
        grip_height_m=0.017,
        grip_yaw=pi / 2,
        grip_symmetry=3,
        stackable=True,
    ),
    "star": Kind(
        tuple(_cuboid(0.040, 0.040, 0.034, yaw=turn * pi / 4) for turn in range(2)),
        0.034,
        0.029,
        grip_height_m=0.016,
        grip_symmetry=4,
    ),
    "cross": Kind(
        (_cuboid(0.066, 0.023, 0.034), _cuboid(0.023, 0.066, 0.034)),
        0.034,
        0.036,
        grip_height_m=0.016,
        grip_symmetry=2,
    ),
    "mug": Kind(
        (
            _upright(0.026, 0.056),
            _upright(0.021, 0.001, 0.0565, colour=(0.16, 0.10, 0.06), solid=False),
            Part("box", (0.0035, 0.004, 0.017), (0.0415, 0.0, 0.029)),
            Part("box", (0.009, 0.004, 0.0035), (0.0330, 0.0, 0.0425)),
            Part("box", (0.009, 0.004, 0.0035), (0.0330, 0.0, 0.0155)),
        ),
        0.056,
        0.045,
        grip_height_m=0.032,
        grip_yaw=pi / 2,
    ),
    "bottle": Kind(
        (
            _upright(0.021, 0.058),
            _upright(0.012, 0.020, 0.058),
            _upright(0.014, 0.010, 0.078, colour="white"),
        ),
        0.088,
        0.021,
        grip_height_m=0.045,
        grip_symmetry=8,
    ),
}
"""Nine coloured shapes; their name is "<size> <colour> <shape>"."""

_STEM = (0.30, 0.20, 0.10)
_LEAF = (0.20, 0.55, 0.15)
_YELLOW = (0.96, 0.83, 0.22)

GROCERIES: dict[str, Kind] = {
    "apple": Kind(
        (
            Part("sphere", (0.024,), (0.0, 0.0, 0.024), colour=(0.80, 0.10, 0.12)),
            _upright(0.0022, 0.012, 0.047, colour=_STEM, solid=False),
        ),
        0.050,
        0.024,
        grip_height_m=0.022,
        grip_symmetry=8,
        category="fruit",
    ),
    "banana": Kind(
        (
            Part("capsule", (0.014, 0.020), (0.0, 0.004, 0.014), yaw=pi / 2, tilt=pi / 2, colour=_YELLOW),
            Part(
                "capsule",
                (0.013, 0.014),
                (0.034, -0.005, 0.014),
                yaw=pi / 2 - 0.55,
                tilt=pi / 2,
                colour=_YELLOW,
            ),
            Part(
                "capsule",
                (0.013, 0.014),
                (-0.034, -0.005, 0.014),
                yaw=pi / 2 + 0.55,
                tilt=pi / 2,
                colour=_YELLOW,
            ),
            Part("sphere", (0.0062,), (0.054, -0.018, 0.014), colour=_STEM, solid=False),
            Part("sphere", (0.0062,), (-0.054, -0.018, 0.014), colour=_STEM, solid=False),
        ),
        0.028,
        0.060,
        grip_height_m=0.012,
        grip_yaw=pi / 2,
        category="fruit",
    ),
    "lemon": Kind(
        (
            Part("ellipsoid", (0.030, 0.0205, 0.0205), (0.0, 0.0, 0.0205), colour=(0.98, 0.93, 0.15)),
            Part("sphere", (0.006,), (0.030, 0.0, 0.0205), colour=(0.80, 0.80, 0.15), solid=False),
        ),
        0.041,
        0.036,
        grip_height_m=0.018,
        grip_yaw=pi / 2,
        category="fruit",
    ),
    "carrot": Kind(
        (
            Part("capsule", (0.0155, 0.016), (0.014, 0.0, 0.0155), yaw=pi / 2, tilt=pi / 2, colour="orange"),
            Part("capsule", (0.011, 0.022), (-0.018, 0.0, 0.011), yaw=pi / 2, tilt=pi / 2, colour="orange"),
            Part("ellipsoid", (0.016, 0.010, 0.008), (0.058, 0.0, 0.016), colour=_LEAF, solid=False),
        ),
        0.031,
        0.062,
        grip_height_m=0.014,
        grip_yaw=pi / 2,
        category="vegetable",
    ),
    "tomato": Kind(
        (
            Part("ellipsoid", (0.026, 0.026, 0.021), (0.0, 0.0, 0.021), colour=(0.93, 0.22, 0.12)),
            *(
                Part(
                    "box",
                    (0.011, 0.003, 0.0012),
                    (0.0, 0.0, 0.0425),
                    yaw=turn * pi / 3,
                    colour=_LEAF,
                    solid=False,
                )
                for turn in range(3)
            ),
        ),
        0.043,
        0.026,
        grip_height_m=0.019,
        grip_symmetry=8,
        category="vegetable",
    ),
    "cucumber": Kind(
        (
            Part(
                "capsule",
                (0.0165, 0.036),
                (0.0, 0.0, 0.0165),
                yaw=pi / 2,
                tilt=pi / 2,
                colour=(0.13, 0.38, 0.14),
            ),
        ),
        0.033,
        0.053,
        grip_height_m=0.015,
        grip_yaw=pi / 2,
        category="vegetable",
    ),
    "soup can": Kind(
        (
            _upright(0.0255, 0.062, colour=(0.78, 0.79, 0.80)),
            _upright(0.0260, 0.022, 0.006, colour=(0.95, 0.93, 0.88), solid=False),
            _upright(0.0260, 0.024, 0.028, colour=(0.80, 0.12, 0.10), solid=False),
        ),
        0.062,
        0.026,
        grip_height_m=0.036,
        grip_symmetry=8,
        category="package",
        stackable=True,
    ),
    "milk carton": Kind(
        (
            _cuboid(0.042, 0.042, 0.062, colour=(0.94, 0.95, 0.97)),
            _cuboid(0.0426, 0.0426, 0.020, 0.014, colour=(0.20, 0.42, 0.86), solid=False),
            _cuboid(0.042, 0.028, 0.010, 0.062, colour=(0.80, 0.86, 0.95)),
            _cuboid(0.042, 0.006, 0.010, 0.072, colour=(0.20, 0.42, 0.86)),
        ),
        0.082,
        0.030,
        grip_height_m=0.038,
        grip_symmetry=2,
        category="package",
    ),
    "cracker box": Kind(
        (
            _cuboid(0.066, 0.034, 0.080, colour=(0.72, 0.10, 0.08)),
            _cuboid(0.0666, 0.0346, 0.022, 0.046, colour=(0.97, 0.80, 0.20), solid=False),
            _cuboid(0.030, 0.0348, 0.024, 0.012, colour=(0.90, 0.72, 0.42), solid=False),
        ),
        0.080,
        0.037,
        grip_height_m=0.048,
        grip_yaw=pi / 2,
        category="package",
        stackable=True,
    ),
}
"""Nine groceries of three categories; they have their own colours and one size."""


def _ring(count: int, radius: float, height: float, thickness: float, bottom: float) -> tuple[Part, ...]:
    """A wall of `count` boards about the z axis."""
    half = radius * tan(pi / count) + thickness / 2
    return tuple(
        Part(
            "box",
            (thickness / 2, half, height / 2),
            (radius * cos(2 * pi * i / count), radius * sin(2 * pi * i / count), bottom + height / 2),
            yaw=2 * pi * i / count,
        )
        for i in range(count)
    )


CONTAINERS: dict[str, Kind] = {
    "plate": Kind(
        (
            _upright(0.070, 0.006),
            _upright(0.056, 0.0012, 0.0055, colour="white", solid=False),
            *_ring(16, 0.072, 0.012, 0.006, 0.0),
        ),
        0.012,
        0.078,
        movable=False,
        floor_m=0.006,
        inner_radius_m=0.070,
    ),
    "box": Kind(
        (_cuboid(0.130, 0.130, 0.004), *_ring(4, 0.066, 0.042, 0.006, 0.0)),
        0.042,
        0.096,
        movable=False,
        floor_m=0.004,
        inner_radius_m=0.072,
    ),
    "bowl": Kind(
        (_upright(0.058, 0.004), *_ring(12, 0.062, 0.032, 0.006, 0.0)),
        0.032,
        0.068,
        movable=False,
        floor_m=0.004,
        inner_radius_m=0.064,
    ),
    "mat": Kind(
        (_cuboid(0.120, 0.120, 0.0012, solid=False),),
        0.001,
        0.085,
        movable=False,
        floor_m=0.0,
        inner_radius_m=0.060,
    ),
}
"""Coloured receptacles that stand still; a mat is painted on the table."""


BUTTON_TRAVEL_M = 0.012
DRAWER_TRAVEL_M = 0.120
HANDLE_Y, HANDLE_Z = 0.111, 0.056
"""The middle of a closed drawer's handle, from the middle of the cabinet's base."""
THREAD_TURN_RAD, THREAD_DEPTH_M = pi, 0.008
"""A cap goes down by that depth in that turn, clockwise seen from above."""

SEAT_M = 0.008
"""So near to its seat, in height and sideways, a cap takes hold of a thread."""

CAPS: dict[str, Kind] = {
    "lid": Kind(
        (
            _upright(0.030, 0.018),
            _cuboid(0.048, 0.018, 0.020, 0.018),
        ),
        0.038,
        0.030,
        grip_height_m=0.030,
        grip_yaw=pi / 2,
        mass_kg=0.04,
    ),
    "bulb": Kind(
        (
            _upright(0.018, 0.018),
            _upright(0.013, 0.010, 0.016, colour=(0.75, 0.76, 0.78)),
            Part("sphere", (0.024,), (0.0, 0.0, 0.044), colour=(0.99, 0.97, 0.85)),
        ),
        0.068,
        0.024,
        grip_height_m=0.044,
        grip_symmetry=8,
        mass_kg=0.04,
    ),
}
"""What can be screwed onto a thread."""
CAP_OF: dict[str, str] = {"jar": "lid", "socket": "bulb"}
"""Thread -> the kind of cap that fits."""

FIXTURES: dict[str, Kind] = {
    "jar": Kind(
        (
            _upright(0.036, 0.0585),
            _upright(0.024, 0.012, 0.058, colour=(0.88, 0.90, 0.92), solid=False),
            _upright(0.0364, 0.022, 0.014, colour=(0.93, 0.92, 0.88), solid=False),
        ),
        0.060,
        0.038,
        movable=False,
        joints=2,
        floor_m=0.060,
    ),
    "socket": Kind(
        (
            _cuboid(0.086, 0.086, 0.008, colour=(0.25, 0.26, 0.28)),
            _upright(0.030, 0.005, 0.008, colour=(0.25, 0.26, 0.28)),
            *(
                replace(board, solid=False, colour=(0.80, 0.72, 0.48))
                for board in _ring(14, 0.024, 0.024, 0.006, 0.010)
            ),
        ),
        0.034,
        0.058,
        movable=False,
        joints=2,
        floor_m=0.014,
    ),
    "button": Kind(
        (_cuboid(0.070, 0.070, 0.020, colour=(0.25, 0.26, 0.28)),), 0.040, 0.075, movable=False, joints=1
    ),
    "drawer": Kind((), 0.090, 0.135, movable=False, joints=1),
}
"""Things with joints that stay in place; `tabletop_scene.py` builds their moving parts."""

KINDS: dict[str, Kind] = {**SHAPES, **GROCERIES, **CONTAINERS, **CAPS, **FIXTURES}
