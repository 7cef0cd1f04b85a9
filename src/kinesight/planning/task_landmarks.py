"""What shows where target and goal of the eleven tasks are: task knowledge of the planner from pixels.

A goal that leaves no picture of its own (the open door, the pressed button) is a constant offset from a part
that never moves and that can be seen. Names, colours and lengths to look for describe Meta-World's objects;
the fits were measured on scripted demonstrations (`python scripts/measure_landmarks.py`: seeds 1000-1009,
both starts, cameras corner, corner2 and corner3), in metres in the world frame.
"""

from dataclasses import dataclass

from kinesight.planning.landmarks import Fit, Landmark, Look, Side


@dataclass(frozen=True, slots=True)
class TaskLandmarks:
    """The two points of a task that are not the robot's own, as in `Scene`."""

    target: Landmark
    goal: Landmark


BACK: tuple[Side, Side, Side] = ("near", "high", "near")
"""Reckoned from the back, for what has a door or a handle that moves in front."""
RING: tuple[Side, Side, Side] = ("near", "near", "low")
"""Reckoned from below, for a ring below a mark of its colour."""
TIP: tuple[Side, Side, Side] = ("high", "near", "near")
"""Reckoned from the end that is farthest from the pivot."""

HANDLE_LOOK = Look(("grey",), (0.03, 0.20), (0.10, 0.22))
SAFE_LOOK = Look(("dark",), (0.15, 0.80), (0.05, 0.32))
HOUSING_LOOK = Look(("yellow",), (0.12, 0.30))
LEVER_LOOK = Look(("red",), (0.05, 0.20), (0.08, 0.18))
BASE_LOOK = Look(("grey", "dark"), (0.05, 0.20), (0.0, 0.15))

TASK_LANDMARKS: dict[str, TaskLandmarks] = {
    "door-open": TaskLandmarks(
        target=Landmark(
            ("door/handle",),
            HANDLE_LOOK,
            Fit((0.162, 0.103, 0.037), (-0.001, -0.01, -0.004)),
            Fit((0.167, 0.119, 0.038), (0.006, -0.017, -0.004)),
            pivot_m=(0.112, 0.341, 0.0),
        ),
        goal=Landmark(
            ("door/doorlockB",),
            SAFE_LOOK,
            Fit((0.44, 0.202, 0.292), (-0.3, -0.443, -0.004)),
            Fit((0.44, 0.243, 0.28), (-0.3, -0.419, -0.01)),
            sides=BACK,
        ),
    ),
    "door-close": TaskLandmarks(
        target=Landmark(
            ("door/handle",),
            HANDLE_LOOK,
            Fit((0.144, 0.082, 0.038), (-0.009, 0.004, -0.004)),
            Fit((0.149, 0.08, 0.03), (-0.007, 0.002, -0.008)),
            pivot_m=(-0.39, 0.09, 0.0),
        ),
        goal=Landmark(
            ("door/doorlockB",),
            SAFE_LOOK,
            Fit((0.44, 0.2, 0.285), (0.2, -0.193, -0.007)),
            Fit((0.44, 0.53, 0.277), (0.2, -0.021, -0.011)),
            sides=BACK,
        ),
    ),
    "basketball": TaskLandmarks(
        target=Landmark(
            ("bsktball/basketball",),
            Look(("brown",), (0.015, 0.10)),
            Fit((0.058, 0.045, 0.048), (0.0, 0.005, -0.005)),
            Fit((0.058, 0.045, 0.046), (0.0, 0.005, -0.006)),
        ),
        goal=Landmark(
            ("basket_goal/hooplink",),
            Look(("red",), (0.07, 0.25), (0.20, 0.35)),
            Fit((0.103, 0.122, 0.02), (0.0, -0.01, 0.003)),
            Fit((0.102, 0.123, 0.078), (0.001, -0.012, -0.029)),
            sides=RING,
        ),
    ),
    "shelf-place": TaskLandmarks(
        target=Landmark(
            ("obj/objGeom",),
            Look(("blue",), (0.015, 0.10)),
            Fit((0.04, 0.038, 0.039), (0.0, 0.001, -0.001)),
            Fit((0.04, 0.038, 0.038), (0.0, 0.001, -0.001)),
        ),
        goal=Landmark(
            ("shelf/",),
            Look(("brown",), (0.30, 1.00), (0.0, 0.8)),
            Fit((0.24, 0.189, 0.627), (0.0, 0.006, -0.047)),
            Fit((0.24, 0.189, 0.618), (0.0, 0.007, -0.051)),
        ),
    ),
    "button-press": TaskLandmarks(
        target=Landmark(
            ("box/btnGeom",),
            Look(("red",), (0.03, 0.12), (0.05, 0.20)),
            Fit((0.084, 0.033, 0.074), (0.0, -0.016, -0.004)),
            Fit((0.084, 0.033, 0.075), (0.0, -0.016, -0.004)),
        ),
        goal=Landmark(
            ("box/buttonbox",),
            HOUSING_LOOK,
            Fit((0.24, 0.189, 0.226), (0.0, -0.105, -0.007)),
            Fit((0.24, 0.056, 0.22), (0.0, -0.038, -0.01)),
        ),
    ),
    "button-press-topdown": TaskLandmarks(
        target=Landmark(
            ("box/btnGeom",),
            Look(("red",), (0.03, 0.12), (0.15, 0.35)),
            Fit((0.084, 0.075, 0.033), (0.0, 0.004, 0.016)),
            Fit((0.084, 0.075, 0.033), (0.0, 0.004, 0.016)),
        ),
        goal=Landmark(
            ("box/buttonbox",),
            HOUSING_LOOK,
            Fit((0.24, 0.223, 0.192), (0.0, 0.008, 0.106)),
            Fit((0.24, 0.225, 0.057), (0.0, 0.007, 0.039)),
        ),
    ),
    "faucet-close": TaskLandmarks(
        target=Landmark(
            ("faucetBase/faucet_link2",),
            LEVER_LOOK,
            Fit((0.204, 0.118, 0.035), (0.092, 0.015, -0.013)),
            Fit((0.128, 0.049, 0.029), (0.05, 0.015, -0.013)),
            sides=TIP,
            pivot_m=(0.175, 0.0, 0.0),
        ),
        goal=Landmark(
            ("faucetBase/faucet_link",),
            BASE_LOOK,
            Fit((0.089, 0.08, 0.089), (-0.175, 0.004, 0.082)),
            Fit((0.082, 0.076, 0.133), (-0.175, 0.006, 0.046)),
        ),
    ),
    "faucet-open": TaskLandmarks(
        target=Landmark(
            ("faucetBase/faucet_link2",),
            LEVER_LOOK,
            Fit((0.204, 0.109, 0.035), (0.09, -0.01, -0.014)),
            Fit((0.127, 0.047, 0.033), (0.049, -0.013, -0.011)),
            sides=TIP,
            pivot_m=(-0.175, 0.0, 0.0),
        ),
        goal=Landmark(
            ("faucetBase/faucet_link",),
            BASE_LOOK,
            Fit((0.089, 0.08, 0.092), (0.175, 0.004, 0.083)),
            Fit((0.082, 0.075, 0.134), (0.175, 0.006, 0.047)),
        ),
    ),
    "handle-press": TaskLandmarks(
        target=Landmark(
            ("box/handle_link",),
            Look(("red",), (0.05, 0.20), (0.03, 0.25)),
            Fit((0.14, 0.167, 0.036), (0.0, -0.062, 0.018)),
            Fit((0.14, 0.037, 0.038), (0.0, 0.003, 0.019)),
        ),
        goal=Landmark(
            ("box/hdlprs",),
            Look(("dark", "grey"), (0.12, 0.45)),
            Fit((0.173, 0.211, 0.214), (0.0, -0.209, -0.038)),
            Fit((0.173, 0.255, 0.203), (0.0, -0.185, -0.043)),
            sides=BACK,
        ),
    ),
    "hammer": TaskLandmarks(
        target=Landmark(
            ("hammerbody/HammerHandle",),
            Look(("red",), (0.08, 0.35), (0.0, 0.30)),
            Fit((0.278, 0.035, 0.034), (0.018, 0.002, -0.008)),
            Fit((0.279, 0.036, 0.033), (0.017, 0.002, -0.008)),
        ),
        goal=Landmark(
            ("box/hammerblock",),
            Look(("brown",), (0.12, 0.30), (0.05, 0.20)),
            Fit((0.2, 0.189, 0.211), (0.0, -0.105, -0.004)),
            Fit((0.2, 0.189, 0.205), (0.0, -0.105, -0.008)),
        ),
    ),
    "assembly": TaskLandmarks(
        target=Landmark(
            ("RoundNut/WrenchHandle",),
            Look(("green",), (0.03, 0.12)),
            Fit((0.076, 0.035, 0.03), (0.0, 0.001, -0.002)),
            Fit((0.076, 0.035, 0.03), (0.0, 0.001, -0.002)),
        ),
        goal=Landmark(
            ("peg/peg",),
            Look(("red",), (0.03, 0.13), (0.02, 0.12)),
            Fit((0.04, 0.031, 0.097), (0.0, 0.004, 0.049)),
            Fit((0.04, 0.032, 0.089), (0.0, 0.004, 0.045)),
        ),
    ),
}
"""By task. A door hangs on its safe, a lever on its base: they turn, the goal's part does not."""

FINGERS = (
    Landmark(
        ("gripper/rightpad_geom",),
        Look(("white",), (0.02, 0.12), (0.0, 0.6)),
        Fit((0.03, 0.007, 0.079), (-0.001, 0.03, -0.043)),
        Fit((0.027, 0.004, 0.075), (-0.001, 0.031, -0.042)),
    ),
    Landmark(
        ("gripper/leftpad_geom",),
        Look(("cyan",), (0.02, 0.12), (0.0, 0.6)),
        Fit((0.03, 0.007, 0.076), (0.0, -0.027, -0.042)),
        Fit((0.03, 0.007, 0.076), (0.0, -0.027, -0.042)),
    ),
)
"""The two finger pads, each with its offset to the point half-way between them."""
