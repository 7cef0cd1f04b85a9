"""One view of the Sawyer's table made ready to be searched for landmarks.

What the robot knows of itself helps: the pose of its hand says which pixels are its own, and how far its
fingers reach. What it knows of its table does too: things stand within the rim.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from kinesight.geometry.camera import pixel_centres, unproject
from kinesight.geometry.colours import COLOURS, colour_ids
from kinesight.planning.landmarks import Landmark, Sight, locate
from kinesight.types.arrays import Point, Segmentation
from kinesight.types.errors import UsageError
from kinesight.types.observation import View
from kinesight.types.segments import Segments

Grid = Float[np.ndarray, "y x 3"]
Proprio = Float[np.ndarray, "8"]

FINGERTIPS_M = (0.045, 0.0, 0.0)
"""The point between the fingertips in the axes of the hand, of which x leads towards them."""
FINGERS_REACH_M = 0.13
"""Distance from that point within which every part of a finger lies."""
HAND_M = ((-0.25, -0.042), 0.070)
"""From where to where along x, and with which radius around it, the hand lies above its fingers."""
WRIST_M = ((-0.12, -0.042), 0.055)
"""The part of it that is certainly filled by the hand."""
ARM_COLOUR = "red"
ARM_PIXELS = 3
"""Pixels in the arm's colour, inside the wrist, from which an instance counts as the arm."""
ARM_SHARE = 0.2
"""Share of such pixels inside the hand from which it does, too."""
ARM_FROM_M = -0.10
"""Along x, where the arm begins."""
RIM_M = ((-0.62, 0.62), (0.25, 0.96), 0.14)
"""The table in world x and y between its rims, and a height above which nothing of a rim is found."""


def sight_of(view: View, segments: Segments, proprio: Proprio) -> Sight:
    """The view with its segments, for a hand whose pose is `proprio` (`PROPRIO_NAMES`)."""
    if view.depth_m is None:
        raise UsageError("Points need depth; request it with ViewRequest(depth=True).")
    points = unproject(pixel_centres(view.camera), view.depth_m.reshape(-1), view.camera)
    grid = points.reshape(*view.depth_m.shape, 3)
    colours = None if view.rgb is None else colour_ids(view.rgb)
    return Sight(
        segments=segments,
        points=grid,
        colours=colours,
        barred=arm_pixels(grid, segments.ids, colours, proprio) | rim_pixels(grid),
        eye=np.asarray(view.camera.T_world_camera[:3, 3], np.float64),
    )


def fingers_seen(fingers: tuple[Landmark, Landmark], sight: Sight, proprio: Proprio) -> Point | None:
    """The point between the two fingers in the world frame, metres; None where one of them is hidden.

    A look is searched for only where the fingers can be.
    """
    away = np.linalg.norm(sight.points - fingers_felt(proprio), axis=2) > FINGERS_REACH_M
    first, second = (locate(finger, replace(sight, barred=away)) for finger in fingers)
    return None if first is None or second is None else (first + second) / 2


def fingers_felt(proprio: Proprio) -> Point:
    """The same point from the pose of the hand, without a look."""
    return proprio[:3].astype(np.float64) + _hand_rotation(proprio).apply(FINGERTIPS_M)


def arm_pixels(
    points: Grid, ids: Segmentation, colours: Int[np.ndarray, "y x"] | None, proprio: Proprio
) -> Bool[np.ndarray, "y x"]:
    """Pixels of the hand above its fingers and, of each instance of the arm's colour that reaches into its
    wrist or has a good part in it, what lies above: below, it may be a thing that the hand touches."""
    along, *across = np.moveaxis(_in_hand(points, proprio), 2, 0)
    hand, wrist = (_within(along, np.hypot(*across), part) for part in (HAND_M, WRIST_M))
    if colours is None:
        return hand
    count = int(ids.max(initial=0)) + 1
    painted = (colours == COLOURS.index(ARM_COLOUR)) & (ids > 0)
    in_wrist, in_hand, anywhere = (
        np.bincount(ids[painted & where], minlength=count) for where in (wrist, hand, np.isfinite(along))
    )
    arm = np.flatnonzero((in_wrist >= ARM_PIXELS) | (in_hand > ARM_SHARE * anywhere))
    return hand | (np.isin(ids, arm) & (along < ARM_FROM_M))


def rim_pixels(points: Grid) -> Bool[np.ndarray, "y x"]:
    """Pixels of the table's raised rim and of what lies beyond it."""
    x, y, z = np.moveaxis(points, 2, 0)
    (left, right), (front, back), top = RIM_M
    return (z < top) & ((x < left) | (x > right) | (y < front) | (y > back))


def _within(
    along: Float[np.ndarray, "y x"], across: Float[np.ndarray, "y x"], part: tuple[tuple[float, float], float]
) -> Bool[np.ndarray, "y x"]:
    (back, front), radius = part
    return (along > back) & (along < front) & (across < radius)


def _in_hand(points: Grid, proprio: Proprio) -> Grid:
    rotation = _hand_rotation(proprio).as_matrix()
    return (points - proprio[:3].astype(np.float64)) @ rotation


def _hand_rotation(proprio: Proprio) -> Rotation:
    return Rotation.from_quat(proprio[3:7].astype(np.float64))
