"""What stays in place: containers and things with joints; and the table of all kinds."""

from dataclasses import replace
from math import cos, pi, sin, tan

from kinesight.envs.tabletop_kinds import Kind, Part, cuboid, upright
from kinesight.envs.tabletop_objects import CAPS, GROCERIES, SHAPES


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
            upright(0.070, 0.006),
            upright(0.056, 0.0012, 0.0055, colour="white", solid=False),
            *_ring(16, 0.072, 0.012, 0.006, 0.0),
        ),
        0.012,
        0.078,
        movable=False,
        floor_m=0.006,
        inner_radius_m=0.070,
    ),
    "box": Kind(
        (cuboid(0.130, 0.130, 0.004), *_ring(4, 0.066, 0.042, 0.006, 0.0)),
        0.042,
        0.096,
        movable=False,
        floor_m=0.004,
        inner_radius_m=0.072,
    ),
    "bowl": Kind(
        (upright(0.058, 0.004), *_ring(12, 0.062, 0.032, 0.006, 0.0)),
        0.032,
        0.068,
        movable=False,
        floor_m=0.004,
        inner_radius_m=0.064,
    ),
    "mat": Kind(
        (cuboid(0.120, 0.120, 0.0012, solid=False),),
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

CAP_OF: dict[str, str] = {"jar": "lid", "socket": "bulb"}
"""Thread -> the kind of cap that fits."""

FIXTURES: dict[str, Kind] = {
    "jar": Kind(
        (
            upright(0.036, 0.0585),
            upright(0.024, 0.012, 0.058, colour=(0.88, 0.90, 0.92), solid=False),
            upright(0.0364, 0.022, 0.014, colour=(0.93, 0.92, 0.88), solid=False),
        ),
        0.060,
        0.038,
        movable=False,
        joints=2,
        floor_m=0.060,
    ),
    "socket": Kind(
        (
            cuboid(0.086, 0.086, 0.008, colour=(0.25, 0.26, 0.28)),
            upright(0.030, 0.005, 0.008, colour=(0.25, 0.26, 0.28)),
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
        (cuboid(0.070, 0.070, 0.020, colour=(0.25, 0.26, 0.28)),), 0.040, 0.075, movable=False, joints=1
    ),
    "drawer": Kind((), 0.090, 0.135, movable=False, joints=1),
}
"""Things with joints that stay in place; `tabletop_scene.py` builds their moving parts."""

KINDS: dict[str, Kind] = {**SHAPES, **GROCERIES, **CONTAINERS, **CAPS, **FIXTURES}
