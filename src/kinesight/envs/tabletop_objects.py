"""What can be gripped: nine coloured shapes, nine groceries, and caps that are screwed on.

Real objects of the names that groceries carry are imitated in shape and colour only.
"""

from math import pi

from kinesight.envs.tabletop_kinds import Kind, Part, cuboid, upright

SHAPES: dict[str, Kind] = {
    "cube": Kind(
        (cuboid(0.042, 0.042, 0.042),), 0.042, 0.030, grip_height_m=0.020, grip_symmetry=2, stackable=True
    ),
    "brick": Kind((cuboid(0.074, 0.034, 0.034),), 0.034, 0.041, grip_height_m=0.016, grip_yaw=pi / 2),
    "cylinder": Kind(
        (upright(0.021, 0.052),), 0.052, 0.021, grip_height_m=0.028, grip_symmetry=8, stackable=True
    ),
    "ball": Kind(
        (Part("sphere", (0.022,), (0.0, 0.0, 0.022)),), 0.044, 0.022, grip_height_m=0.020, grip_symmetry=8
    ),
    "hexagon": Kind(
        tuple(cuboid(0.0260, 0.045, 0.036, yaw=turn * pi / 3) for turn in range(3)),
        0.036,
        0.026,
        grip_height_m=0.017,
        grip_yaw=pi / 2,
        grip_symmetry=3,
        stackable=True,
    ),
    "star": Kind(
        tuple(cuboid(0.040, 0.040, 0.034, yaw=turn * pi / 4) for turn in range(2)),
        0.034,
        0.029,
        grip_height_m=0.016,
        grip_symmetry=4,
    ),
    "cross": Kind(
        (cuboid(0.066, 0.023, 0.034), cuboid(0.023, 0.066, 0.034)),
        0.034,
        0.036,
        grip_height_m=0.016,
        grip_symmetry=2,
    ),
    "mug": Kind(
        (
            upright(0.026, 0.056),
            upright(0.021, 0.001, 0.0565, colour=(0.16, 0.10, 0.06), solid=False),
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
            upright(0.021, 0.058),
            upright(0.012, 0.020, 0.058),
            upright(0.014, 0.010, 0.078, colour="white"),
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
            upright(0.0022, 0.012, 0.047, colour=_STEM, solid=False),
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
            upright(0.0255, 0.062, colour=(0.78, 0.79, 0.80)),
            upright(0.0260, 0.022, 0.006, colour=(0.95, 0.93, 0.88), solid=False),
            upright(0.0260, 0.024, 0.028, colour=(0.80, 0.12, 0.10), solid=False),
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
            cuboid(0.042, 0.042, 0.062, colour=(0.94, 0.95, 0.97)),
            cuboid(0.0426, 0.0426, 0.020, 0.014, colour=(0.20, 0.42, 0.86), solid=False),
            cuboid(0.042, 0.028, 0.010, 0.062, colour=(0.80, 0.86, 0.95)),
            cuboid(0.042, 0.006, 0.010, 0.072, colour=(0.20, 0.42, 0.86)),
        ),
        0.082,
        0.030,
        grip_height_m=0.038,
        grip_symmetry=2,
        category="package",
    ),
    "cracker box": Kind(
        (
            cuboid(0.066, 0.034, 0.080, colour=(0.72, 0.10, 0.08)),
            cuboid(0.0666, 0.0346, 0.022, 0.046, colour=(0.97, 0.80, 0.20), solid=False),
            cuboid(0.030, 0.0348, 0.024, 0.012, colour=(0.90, 0.72, 0.42), solid=False),
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

CAPS: dict[str, Kind] = {
    "lid": Kind(
        (
            upright(0.030, 0.018),
            cuboid(0.048, 0.018, 0.020, 0.018),
        ),
        0.038,
        0.030,
        grip_height_m=0.030,
        grip_yaw=pi / 2,
        mass_kg=0.04,
    ),
    "bulb": Kind(
        (
            upright(0.018, 0.018),
            upright(0.013, 0.010, 0.016, colour=(0.75, 0.76, 0.78)),
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
