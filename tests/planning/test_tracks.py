"""Tracks of moved things in drawn videos, whose truth is known to the last digit."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import drawn_video
from drawn_video import BLUE, CUBE, GREY, RED, Box, Scene

from kinesight.geometry.clusters import level_plane
from kinesight.geometry.plane import Plane
from kinesight.planning.moved_objects import NoTable, moved_objects, onset
from kinesight.planning.object_track import ObjectTrack, RgbdVideo, TrackConfig, track_object
from kinesight.planning.track_actions import (
    ActionConfig,
    actions,
    gripper_changes,
    held_frames,
    image_path,
    moving_spans,
)
from kinesight.types.errors import UsageError

TABLE = Plane(np.array([0.0, 0.0, 1.0]), 0.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return drawn_video.moved_cube()


@pytest.fixture(scope="module")
def track(scene: Scene) -> ObjectTrack:
    (found,) = moved_objects(scene.video)
    return found


def test_the_moved_thing_is_found_and_its_path_is_right(scene: Scene, track: ObjectTrack) -> None:
    error_m = np.linalg.norm(track.middle - scene.truth, axis=1)
    assert np.median(error_m) < 0.004
    assert error_m.max() < 0.012
    assert abs(onset(track) - scene.taken) <= 2
    assert track.masks[0].sum() > 40


class Known:
    """A mask follower that was told where the cube can be seen."""

    def __init__(self, shown: np.ndarray) -> None:
        self.shown, self.asked = shown, 0

    def follow(self, rgb: np.ndarray, masks: np.ndarray) -> np.ndarray:
        self.asked += 1
        own = np.array([(mask & self.shown[0]).sum() > 0.5 * mask.sum() for mask in masks])
        return self.shown[:, None] & own[None, :, None, None]


def test_another_segmenters_masks_take_the_place_of_colours(scene: Scene) -> None:
    """Of a cube of the fingers' grey; what they do not show is not seen."""
    rgb = scene.video.rgb.astype(int)
    known = Known((rgb[..., 0] > 90) & (rgb[..., 1] < 60))
    gray = drawn_video.moved_cube(colour=GREY)
    (found,) = moved_objects(gray.video, follower=known)
    assert known.asked >= 1
    assert np.median(np.linalg.norm(found.middle - gray.truth, axis=1)) < 0.004
    assert not (found.masks & ~known.shown)[1:].any()
    blind = Known(known.shown & (np.arange(len(rgb)) < 10)[:, None, None])
    assert moved_objects(gray.video, follower=blind) == ()
    assert blind.asked == 1


def test_what_stays_is_not_found_though_a_hand_passes_in_front(scene: Scene) -> None:
    still = [[Box((-0.12, 0.02, 0.025), CUBE, RED), Box((0.0, -0.10, 0.025), CUBE, BLUE)]] * 30
    hands = [(0.3 - 0.02 * t, -0.16, 0.08) for t in range(30)]
    frames = [
        [*boxes, Box(at, (0.04, 0.04, 0.12), (90, 90, 95))] for boxes, at in zip(still, hands, strict=True)
    ]
    assert moved_objects(drawn_video.video(frames)) == ()


def test_a_video_without_a_table_says_so() -> None:
    video = drawn_video.video([[Box((0, 0, 0.02), CUBE, RED)]] * 2)
    empty = replace(video, depth_m=np.zeros_like(video.depth_m))
    with pytest.raises(NoTable, match="'drawn' shows no level plane"):
        moved_objects(empty)


def test_two_pieces_that_move_together_are_one_thing() -> None:
    scene = drawn_video.moved_cube(two_colours=True)
    (whole,) = moved_objects(scene.video)
    assert np.median(np.linalg.norm(whole.middle - scene.truth, axis=1)) < 0.006
    assert whole.masks[0].sum() > 60


def test_depth_noise_and_holes_are_borne(scene: Scene) -> None:
    generator = np.random.default_rng(0)
    depth = scene.video.depth_m + generator.normal(0, 0.0015, scene.video.depth_m.shape)
    depth = np.where(generator.random(depth.shape) < 0.05, 0, depth).astype(np.float32)
    (found,) = moved_objects(RgbdVideo(scene.video.rgb, depth, scene.video.camera))
    assert np.median(np.linalg.norm(found.middle - scene.truth, axis=1)) < 0.006


def test_a_thing_that_vanishes_keeps_its_place(scene: Scene) -> None:
    frames = [[Box((0, 0, 0.025), CUBE, RED)]] * 4 + [[Box((0, 0, 0.1), (0.2, 0.2, 0.02), BLUE)]] * 6
    video = drawn_video.video(frames)
    mask = np.abs(video.rgb[0].astype(int) - (200, 40, 40)).max(axis=2) < 70
    found = track_object(video, mask, TABLE)
    assert (found.seen[:4] > 0.9).all()
    assert (found.seen[4:] == 0).all()
    assert np.isnan(found.measured[4:]).all()
    assert found.way_m.max() < 0.003


def test_a_mask_without_depth_is_refused(scene: Scene) -> None:
    mask = np.zeros(scene.video.depth_m.shape[1:], bool)
    with pytest.raises(UsageError, match="0 pixels with a depth"):
        track_object(scene.video, mask, TABLE)
    with pytest.raises(UsageError, match="lost_near_m"):
        TrackConfig(near_m=0.1)
    with pytest.raises(UsageError, match="two frames or more"):
        RgbdVideo(scene.video.rgb[:1], scene.video.depth_m[:1], scene.video.camera)


def test_actions_are_when_it_moved(scene: Scene, track: ObjectTrack) -> None:
    (action,) = actions(track, scene.opening)
    assert action.manner == "carried"
    assert abs(action.start - scene.taken) <= 2
    assert abs(action.stop - scene.left) <= 2
    assert action.grasp == 13
    assert action.release == 33


def test_a_push_is_no_carry() -> None:
    scene = drawn_video.moved_cube(lift=0.0)
    (found,) = moved_objects(scene.video)
    (action,) = actions(found, np.ones(len(scene.truth)))
    assert (action.manner, action.grasp, action.release) == ("slid", None, None)


def test_a_hand_that_goes_along_is_seen_without_a_gripper(scene: Scene, track: ObjectTrack) -> None:
    table = level_plane(scene.video.points(0).reshape(-1, 3))
    assert table is not None
    held = held_frames(scene.video, track, table)
    assert held[scene.taken + 1 : scene.left - 1].mean() > 0.6
    assert not held[: scene.taken - 3].any()
    assert not held[scene.left + 3 :].any()
    (action,) = actions(track, None, held)
    assert (action.grasp, action.release) == (action.start, action.stop)


def test_spans_follow_the_speed_and_bridge_short_rests() -> None:
    path = np.zeros((60, 3))
    path[10:20, 0] = np.linspace(0, 0.1, 10)
    path[20:24, 0] = 0.1
    path[24:34, 0] = np.linspace(0.1, 0.2, 10)
    path[34:, 0] = 0.2
    path[50:, 0] += 0.005  # too short
    ((start, stop),) = moving_spans(path, ActionConfig())
    assert abs(start - 10) <= 1
    assert abs(stop - 33) <= 1
    assert len(moving_spans(path, ActionConfig(pause_frames=1))) == 2
    assert moving_spans(np.zeros((20, 3)), ActionConfig()) == []


def test_gripper_changes_are_runs_of_one_direction() -> None:
    opening = np.r_[np.ones(5), [0.8, 0.6, 0.4], np.full(4, 0.4), [0.7, 1.0], np.ones(3), [0.95, 1.0]]
    assert gripper_changes(opening) == ([7], [11])
    assert gripper_changes(np.ones(10)) == ([], [])


def test_the_path_in_the_picture_has_eight_points_depth_and_events(scene: Scene, track: ObjectTrack) -> None:
    (action,) = actions(track, scene.opening)
    path = image_path(track, action)
    assert path.points.shape == (8, 2)
    assert path.depth_m is not None
    steps = np.linalg.norm(np.diff(path.points, axis=0), axis=1)
    assert steps.max() < 1.3 * steps.min()
    first = track.pixels[action.start] / drawn_video.SIZE
    np.testing.assert_allclose(path.points[0], first, atol=1e-6)
    assert [event.opens for event in path.events] == [False, True]
    assert (path.events[0].index, path.events[-1].index) == (0, 7)
