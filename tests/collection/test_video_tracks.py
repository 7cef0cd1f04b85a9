"""Tracks as a derived key: from stored millimetres to paths, with the gripper's own opening."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "planning"))

import drawn_video

from kinesight.collection.video_tracks import VideoTracks, rgbd_video, with_video_tracks
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UnknownName


@pytest.fixture(scope="module")
def scene() -> drawn_video.Scene:
    return drawn_video.moved_cube()


@pytest.fixture(scope="module")
def episode(scene: drawn_video.Scene) -> Episode:
    frames = len(scene.truth)
    proprio = np.zeros((frames, 8), np.float32)
    proprio[:, 7] = scene.opening
    arrays = {
        "rgb.drawn": scene.video.rgb,
        "depth_mm.drawn": np.rint(1000 * scene.video.depth_m).astype(np.uint16),
        "T_world_camera.drawn": np.repeat(scene.video.camera.T_world_camera[None], frames, 0),
        "proprio": proprio,
    }
    case = Case("drawn", "move", 0, "drawn")
    return Episode(0, case, "move it", frames - 1, {"drawn": scene.video.camera}, arrays=arrays)


def test_a_store_gets_the_path_of_what_was_moved(tmp_path, scene, episode) -> None:
    store = EpisodeStore.create(tmp_path, DatasetInfo(("move",), ("drawn",), 20.0))
    store.append(episode)
    tracked = with_video_tracks(store, VideoTracks("drawn"))
    found = tracked[0].arrays
    assert np.median(np.linalg.norm(found["track.middle.drawn"] - scene.truth, axis=1)) < 0.005
    moving = np.flatnonzero(found["track.action.drawn"] == 0)
    assert abs(moving[0] - scene.taken) <= 2
    assert abs(moving[-1] - scene.left) <= 2
    assert set(np.unique(found["track.action.drawn"])) == {-1, 0}
    assert found["track.pixels.drawn"].shape == (len(scene.truth), 2)
    assert with_video_tracks(store, VideoTracks("drawn")).derived == tracked.derived


def test_a_camera_that_moves_or_is_not_there_is_named(episode) -> None:
    poses = episode.arrays["T_world_camera.drawn"].copy()
    poses[5:, 0, 3] += 0.01
    with pytest.raises(DataError, match="'drawn' moves"):
        rgbd_video(replace(episode, arrays={**episode.arrays, "T_world_camera.drawn": poses}), "drawn")
    with pytest.raises(UnknownName, match=r"rgb\.side"):
        rgbd_video(episode, "side")


def test_a_video_without_a_table_has_no_track(episode) -> None:
    blind = {**episode.arrays, "depth_mm.drawn": np.zeros_like(episode.arrays["depth_mm.drawn"])}
    found = VideoTracks("drawn")(replace(episode, arrays=blind))
    assert np.isnan(found["track.middle.drawn"]).all()
    assert (found["track.action.drawn"] == -1).all()
