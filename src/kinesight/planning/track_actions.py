"""From the path of a thing to actions: when it was moved, how, and by which closing and opening of the hand.

A thing moves from where its speed rises over a share of its highest to where it falls below half of that. It
was carried if it rose on the way, else slid. Gripper events come from the robot's own opening where there is
one. In a video of a person or a robot that tells nothing, they come from motion: what is beside the thing, is
not the table, and moves with it is a hand that holds it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from kinesight.geometry.camera import project, world_to_camera
from kinesight.geometry.paths import PATH_POINTS, arc_length, resample
from kinesight.geometry.plane import Plane, signed_distance
from kinesight.geometry.point_tracks import follow
from kinesight.planning.object_track import ObjectTrack, RgbdVideo
from kinesight.types.errors import UsageError
from kinesight.types.spatial import GripperEvent, ImagePath

Manner = Literal["carried", "slid"]


@dataclass(frozen=True, slots=True)
class ActionConfig:
    """Thresholds of the segmentation."""

    start_share: float = 0.15
    """Of the highest speed (its 95th percentile), from which a thing moves; it rests below half of it."""
    least_speed_m: float = 0.001
    """Metres a frame below which nothing counts as motion."""
    least_way_m: float = 0.015
    """Between the ends of a motion, or in height; shorter ones are left out."""
    pause_frames: int = 6
    """Shorter rests do not divide a motion."""
    lift_m: float = 0.025
    """Height gained on the way from which a thing was carried."""
    opening_change: float = 0.15
    """By how much the gripper must open or close in one go."""
    near_frames: int = 12
    """Between a gripper event and the beginning or end of the motion that it belongs to."""

    def __post_init__(self) -> None:
        if not 0 < self.start_share < 1 or min(self.least_speed_m, self.least_way_m, self.lift_m) <= 0:
            raise UsageError(f"start_share must lie in (0, 1) and lengths be positive, got {self}")


@dataclass(frozen=True, slots=True)
class TrackAction:
    """One motion of a thing, from frame `start` to frame `stop`."""

    manner: Manner
    start: int
    stop: int
    grasp: int | None = None
    """Frame in which the fingers had closed on it, if they did."""
    release: int | None = None
    """Frame in which they began to open."""


def actions(
    track: ObjectTrack,
    opening: Float[np.ndarray, "t"] | None = None,
    held: Bool[np.ndarray, "t"] | None = None,
    config: ActionConfig | None = None,
) -> tuple[TrackAction, ...]:
    """The motions of a tracked thing, in order.

    `opening` [t] is the gripper's own (0 closed … 1 open); without it `held` [t] may say when a hand moved
    along (`held_frames`).
    """
    config = config or ActionConfig()
    closings, openings = gripper_changes(opening, config) if opening is not None else ([], [])
    found: list[TrackAction] = []
    for start, stop in moving_spans(track.middle, config):
        rise = float(track.middle[start : stop + 1, 2].max() - track.middle[start, 2])
        manner: Manner = "carried" if rise >= config.lift_m else "slid"
        grasp, release = _nearest(closings, start, config), _nearest(openings, stop, config)
        if opening is None and held is not None and held[start : stop + 1].mean() > 0.5:
            grasp, release = start, stop
        if grasp is None:
            release = None  # nothing was held
        found.append(TrackAction(manner, start, stop, grasp, release))
    return tuple(found)


def moving_spans(middle: Float[np.ndarray, "t 3"], config: ActionConfig) -> list[tuple[int, int]]:
    """First and last frame of each motion."""
    speed = np.linalg.norm(np.gradient(middle, axis=0), axis=1)
    begin = max(config.start_share * float(np.quantile(speed, 0.95)), config.least_speed_m)
    spans: list[list[int]] = []
    moving = False
    for frame, value in enumerate(speed):
        if not moving and value >= begin:
            if spans and frame - spans[-1][1] <= config.pause_frames:
                spans[-1][1] = frame
            else:
                spans.append([frame, frame])
            moving = True
        elif moving and value < begin / 2:
            moving = False
        if moving:
            spans[-1][1] = frame
    return [(a, b) for a, b in spans if _way(middle[a : b + 1]) >= config.least_way_m]


def gripper_changes(
    opening: Float[np.ndarray, "t"], config: ActionConfig | None = None
) -> tuple[list[int], list[int]]:
    """Frames in which a closing of the gripper ended, and frames in which an opening began."""
    config = config or ActionConfig()
    closings, openings = [], []
    direction = np.sign(np.where(np.abs(np.diff(opening)) > 0.005, np.diff(opening), 0.0))
    frame = 0
    while frame < len(direction):
        end = frame
        while end < len(direction) and direction[end] == direction[frame]:
            end += 1
        if direction[frame] and abs(opening[end] - opening[frame]) >= config.opening_change:
            (openings if direction[frame] > 0 else closings).append(frame if direction[frame] > 0 else end)
        frame = end
    return closings, openings


def held_frames(
    video: RgbdVideo, track: ObjectTrack, table: Plane, reach_m: float = 0.05, least: int = 8
) -> Bool[np.ndarray, "t"]:
    """Whether something beside the thing moves along with it to the next frame.

    Points within `reach_m` of its middle, above the table and not its own, are followed by optical flow; of
    those that come back, half must move as it does. A thing at rest is not held.
    """
    held = np.zeros(len(video), bool)
    for frame in range(len(video) - 1):
        way = track.middle[frame + 1] - track.middle[frame]
        if np.linalg.norm(way) < 0.002:
            continue
        grid = video.points(frame)
        near = np.linalg.norm(grid - track.middle[frame], axis=2) <= reach_m
        near &= ~track.masks[frame] & (signed_distance(grid.reshape(-1, 3), table) > 0.015).reshape(
            near.shape
        )
        rows, columns = np.nonzero(near)
        if len(rows) < least:
            continue
        chosen = np.linspace(0, len(rows) - 1, min(len(rows), 80)).round().astype(int)
        pixels = np.stack([columns[chosen], rows[chosen]], axis=1) + 0.5
        start = grid[rows[chosen], columns[chosen]]
        along = pixels + project(start + way, video.camera) - project(start, video.camera)
        moved, kept = follow(video.rgb[frame], video.rgb[frame + 1], pixels, along)
        if kept.sum() >= least:
            off = np.linalg.norm(moved - along, axis=1)[kept]
            expected = np.linalg.norm(along - pixels, axis=1)[kept]
            held[frame] = np.mean(off <= 0.35 * expected + 0.5) >= 0.5
    held[-1] = held[-2]
    return held


def image_path(track: ObjectTrack, action: TrackAction, count: int = PATH_POINTS) -> ImagePath:
    """The motion as `count` points of equal arc length in the picture, with depth and gripper events.

    Raises `UsageError` where it leaves the picture.
    """
    camera = track.camera
    points = track.middle[action.start : action.stop + 1]
    shares = project(points, camera) / (camera.width, camera.height)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and (shares <= 1).all()):
        raise UsageError(f"the motion from frame {action.start} to {action.stop} leaves the picture")
    depth_m = world_to_camera(points, camera)[:, 2]
    rows = resample(np.column_stack([shares, depth_m]), count, measure=2)
    length = arc_length(shares)
    events = []
    for frame, opens in ((action.grasp, False), (action.release, True)):
        if frame is not None:
            at = length[int(np.clip(frame - action.start, 0, len(points) - 1))] / max(length[-1], 1e-9)
            events.append(GripperEvent(round(float(at) * (count - 1)), opens))
    events = tuple(sorted(events, key=lambda event: event.index))
    return ImagePath(np.clip(rows[:, :2], 0.0, 1.0), rows[:, 2], events)


def _way(middle: Float[np.ndarray, "t 3"]) -> float:
    """The larger of the distance between the ends and the height gained."""
    return max(float(np.linalg.norm(middle[-1] - middle[0])), float(np.ptp(middle[:, 2])))


def _nearest(frames: list[int], frame: int, config: ActionConfig) -> int | None:
    near = [each for each in frames if abs(each - frame) <= config.near_frames]
    return min(near, key=lambda each: abs(each - frame)) if near else None
