"""A shown episode as a recording for the Rerun viewer; the only file that loads the extra "viewer".

In the world frame, over the steps: the camera with its frustum and picture, a coloured cloud from its depth,
boxes about what the segmentation names, the gripper's and the target's paths, key poses as axes.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinesight.evaluation.episode_sheet import (
    GOAL,
    GRIPPER_PATH,
    LEFT_OUT,
    TARGET_PATH,
    object_colours,
)
from kinesight.evaluation.shown_episode import ShownEpisode, ShownFrame, broken_path
from kinesight.geometry.camera import pixel_centres, unproject
from kinesight.geometry.overlay import Colour
from kinesight.geometry.scene_overlay import AXES, rotation_xyzw
from kinesight.types.arrays import Points
from kinesight.types.errors import MissingDependency

AXIS_M = 0.04
FRUSTUM_M = 0.15
BACKGROUND_M = 4.0
"""Farther points are left out of the cloud."""


def require_rerun() -> Any:
    """The package, or an error that says how to install it."""
    try:
        import rerun  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingDependency(
            "A recording for Rerun (.rrd) needs the rerun-sdk package: pip install 'kinesight[viewer]'."
        ) from None
    return rerun


def write_recording(out: Path, episode: ShownEpisode) -> None:
    """`out` is opened with `rerun out`."""
    rr = require_rerun()
    out.parent.mkdir(parents=True, exist_ok=True)
    recording = rr.RecordingStream("kinesight_show")
    recording.save(str(out))
    recording.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    recording.log("instruction", rr.TextDocument(episode.instruction), static=True)
    for name, points_m, colour in (
        ("gripper", episode.gripper_m, GRIPPER_PATH),
        ("target", episode.target_m, TARGET_PATH),
    ):
        if points_m is not None:
            strips = _strips(points_m)
            recording.log(
                f"world/path/{name}", rr.LineStrips3D(strips, colors=[colour], radii=0.002), static=True
            )
    if episode.goal_m is not None:
        goal = rr.Points3D([episode.goal_m], colors=[GOAL], radii=0.012)
        recording.log("world/goal", goal, static=True)
    for number, mark in enumerate(episode.keyposes):
        turn = rotation_xyzw(episode.hand[mark.step, 3:7])
        axes = rr.Arrows3D(
            origins=[episode.gripper_m[mark.step]] * 3, vectors=AXIS_M * turn.T, colors=list(AXES)
        )
        recording.set_time("step", sequence=mark.step)
        recording.log(f"world/keypose/{number}", axes)
    colours = object_colours(episode)
    for frame in episode.frames:
        recording.set_time("step", sequence=frame.step)
        _log_frame(rr, recording, episode, frame, colours)
    recording.flush()


def _log_frame(
    rr: Any, recording: Any, episode: ShownEpisode, frame: ShownFrame, colours: dict[str, Colour]
) -> None:
    camera, place = frame.camera, f"world/camera/{frame.camera.name}"
    pose = rr.Transform3D(translation=camera.T_world_camera[:3, 3], mat3x3=camera.T_world_camera[:3, :3])
    recording.log(place, pose)
    lens = rr.Pinhole(
        image_from_camera=camera.K, resolution=[camera.width, camera.height], image_plane_distance=FRUSTUM_M
    )
    recording.log(place, lens)
    recording.log(place, rr.Image(frame.rgb))
    if frame.depth_m is None:
        return
    depth_m = frame.depth_m.reshape(-1)
    seen = (depth_m > 0) & (depth_m < BACKGROUND_M)
    points = unproject(pixel_centres(camera), depth_m, camera)
    cloud = rr.Points3D(points[seen], colors=frame.rgb.reshape(-1, 3)[seen], radii=0.0015)
    recording.log("world/cloud", cloud)
    if frame.segmentation is None:
        return
    found = object_bounds(points, seen, frame.segmentation.reshape(-1), episode)
    lows, highs = (np.array([bounds[i] for bounds in found.values()]).reshape(-1, 3) for i in (0, 1))
    boxes = rr.Boxes3D(
        mins=lows, sizes=highs - lows, labels=list(found), colors=[colours.get(name, GOAL) for name in found]
    )
    recording.log("world/boxes", boxes)


def object_bounds(
    points: Points, seen: np.ndarray, ids: np.ndarray, episode: ShownEpisode
) -> dict[str, tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]]:
    """Name -> lowest and highest corner of what is seen of each object, in the world frame."""
    members: dict[str, list[int]] = {}
    for number, text in episode.names.items():
        members.setdefault(text.partition("/")[0], []).append(number)
    found = {}
    for name, numbers in members.items():
        own = points[seen & np.isin(ids, numbers)]
        if name not in LEFT_OUT and len(own):
            found[name] = own.min(axis=0), own.max(axis=0)
    return found


def _strips(points_m: Float[np.ndarray, "t 3"]) -> list[np.ndarray]:
    """The path in pieces without a jump."""
    broken = broken_path(points_m)
    gaps = np.flatnonzero(np.isnan(broken).any(axis=1))
    pieces = np.split(broken, gaps)
    return [piece[~np.isnan(piece).any(axis=1)] for piece in pieces]
