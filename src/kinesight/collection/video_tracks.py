"""Tracks of moved things from recorded episodes, as a derived key: what a video alone tells.

Read are colour, depth and calibration of one camera and, if the episode has it, the gripper's own opening;
neither poses nor the simulator's segmentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from kinesight.data.derived import derive
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.planning.moved_objects import MovedConfig, NoTable, moved_objects, table_of
from kinesight.planning.object_track import ObjectTrack, RgbdVideo
from kinesight.planning.track_actions import ActionConfig, TrackAction, actions, held_frames
from kinesight.types.errors import DataError, lookup

if TYPE_CHECKING:
    from kinesight.nn.sam2 import Sam2

OPENING = 7
"""Column of `proprio`."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedThing:
    """A thing that the video shows being moved, and the motions that it makes."""

    track: ObjectTrack
    actions: tuple[TrackAction, ...]


@dataclass(frozen=True, slots=True)
class VideoTracks:
    """Episode -> `track.*.CAMERA`: path, visibility and motion of the thing that was moved furthest.

    NaN and -1 where nothing was seen to be moved.
    """

    camera: str
    moved: MovedConfig = field(default_factory=MovedConfig)
    action: ActionConfig = field(default_factory=ActionConfig)
    gripper: bool = True
    """Whether the gripper's own opening is read, where the episode has it."""
    sam2: str = ""
    """Folder of a SAM 2 (extra "hub") that follows things in place of their colours."""

    def __call__(self, episode: Episode) -> Mapping[str, np.ndarray]:
        frames = episode.length + 1
        middle, pixels = np.full((frames, 3), np.nan), np.full((frames, 2), np.nan)
        seen, number = np.zeros(frames), np.full(frames, -1)
        try:
            things = tracked_things(episode, self)
        except NoTable:
            things = ()
        if things:
            furthest = max(things, key=lambda thing: float(thing.track.way_m.max()))
            middle, pixels, seen = furthest.track.middle, furthest.track.pixels, furthest.track.seen
            for index, action in enumerate(furthest.actions):
                number[action.start : action.stop + 1] = index
        return {
            f"track.middle.{self.camera}": middle.astype(np.float32),
            f"track.pixels.{self.camera}": pixels.astype(np.float32),
            f"track.seen.{self.camera}": seen.astype(np.float32),
            f"track.action.{self.camera}": number.astype(np.int16),
        }


def tracked_things(episode: Episode, tracks: VideoTracks) -> tuple[TrackedThing, ...]:
    """Every moved thing of an episode with its actions, in the order in which they begin to move."""
    video = rgbd_video(episode, tracks.camera)
    opening = (
        episode.arrays["proprio"][:, OPENING] if tracks.gripper and "proprio" in episode.arrays else None
    )
    found = moved_objects(video, tracks.moved, _sam2(tracks.sam2) if tracks.sam2 else None)
    if not found:
        return ()
    table = table_of(video.points(0))
    assert table is not None, "things were found standing on it"
    things = []
    for track in found:
        held = held_frames(video, track, table) if opening is None else None
        known = None if opening is None else np.asarray(opening, np.float64)
        things.append(TrackedThing(track, actions(track, known, held, tracks.action)))
    return tuple(things)


@cache
def _sam2(folder: str) -> "Sam2":
    """Loaded once a process; torch and transformers only where they are asked for."""
    from kinesight.nn.sam2 import Sam2

    return Sam2(folder)


def rgbd_video(episode: Episode, camera: str) -> RgbdVideo:
    """Colour and depth of one of the episode's cameras, which must stand still."""
    rgb = lookup("key of the episode", f"rgb.{camera}", episode.arrays)
    depth_mm = lookup("key of the episode", f"depth_mm.{camera}", episode.arrays)
    poses = episode.arrays.get(f"T_world_camera.{camera}")
    if poses is not None and not np.allclose(poses, poses[0], atol=1e-4):
        raise DataError(
            f"episode {episode.index}: camera {camera!r} moves; tracks need one that stands still"
        )
    return RgbdVideo(rgb, depth_mm.astype(np.float32) / 1000, episode.cameras[camera])


def with_video_tracks(store: EpisodeStore, tracks: VideoTracks, workers: int = 1) -> EpisodeStore:
    """The store with the keys `track.*`; they are computed where they are missing."""
    parameters = {"tracks": tracks, "sam2": _sam2(tracks.sam2).digest() if tracks.sam2 else ""}
    return store.with_derived(
        derive(store, "track", tracks, parameters=parameters, workers=workers, version=2)
    )
