"""Episodes as people look at them: which frames, what is drawn, the files it goes to."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinesight.collection.collect import CollectionConfig, collect
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.envs import catalogue as envs
from kinesight.evaluation import episode_viewer
from kinesight.evaluation.episode_files import WRITERS, writer
from kinesight.evaluation.episode_sheet import caption, drawn_frame, episode_sheet, object_colours
from kinesight.evaluation.shown_episode import (
    ShownEpisode,
    broken_path,
    expert_episode,
    shown_steps,
    stored_episode,
)
from kinesight.types.case import Case
from kinesight.types.errors import DataError, MissingDependency, UnknownName, UsageError

CASES = {
    "tabletop": Case("tabletop", "pick-place", 3, "front"),
    "metaworld": Case("metaworld", "button-press-topdown", 0, "corner", "shifted"),
}
IN_PARTS = {name for name in envs.names() if envs.holds_several(name)}
"""Environments whose tasks are several of another one's, each of which is shown by itself."""


@pytest.fixture(scope="module")
def shown() -> dict[str, ShownEpisode]:
    assert set(CASES) == set(envs.names()) - IN_PARTS, "an episode of every environment is shown"
    return {name: expert_episode(case, 160, 5) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """One episode with ids, recorded."""
    config = CollectionConfig(
        "tabletop",
        ("press-sum",),
        1,
        ("front", "left"),
        48,
        48,
        segmentation=True,
        starts=("standard",),
        fps=20.0,
    )
    return collect(config, tmp_path_factory.mktemp("shown") / "data")


def test_first_and_last_step_are_shown_key_poses_before_others():
    assert shown_steps(100, [10, 30, 60], 5) == (0, 10, 30, 60, 100)
    assert shown_steps(100, [50], 5) == (0, 25, 50, 75, 100)
    assert shown_steps(100, list(range(1, 100)), 4) == (0, 1, 99, 100)
    assert shown_steps(3, [], 9) == (0, 1, 2, 3)
    for length in (1, 7, 90):
        for most in (2, 3, 8):
            steps = shown_steps(length, [2, 5, 40, 41], most)
            assert steps[0] == 0
            assert steps[-1] == length
            assert len(steps) == min(most, length + 1)
    with pytest.raises(UsageError, match="at least 2"):
        shown_steps(5, [], 1)


def test_a_path_is_broken_where_it_jumps():
    points = np.array([[0.0, 0, 0], [0.01, 0, 0], [0.5, 0, 0], [0.51, 0, 0]])
    broken = broken_path(points)
    assert np.isnan(broken[2]).all()
    np.testing.assert_array_equal(broken[[0, 1, 3, 4]], points)
    np.testing.assert_array_equal(broken_path(points[:2]), points[:2])


@pytest.mark.parametrize("name", CASES)
def test_the_experts_episode(shown, name):
    episode = shown[name]
    assert episode.success
    assert len(episode.frames) == 5
    assert [frame.step for frame in episode.frames][:: len(episode.frames) - 1] == [0, episode.length]
    assert len(episode.hand) == len(episode.gripper_m) == len(episode.target_m) == episode.length + 1
    assert episode.keyposes
    colours = object_colours(episode)
    assert colours
    assert not {"robot", "gripper", "table"} & set(colours)
    for frame in episode.frames:
        drawn = drawn_frame(episode, frame, colours)
        assert drawn.shape == frame.rgb.shape
        assert (drawn != frame.rgb).any()


def test_the_target_is_boxed_where_it_is_and_moves_to_the_goal(shown):
    episode = shown["tabletop"]
    item = re.search(r"grasp (.*)", next(m.text for m in episode.keyposes if "grasp" in m.text))
    assert item is not None
    assert item.group(1) in object_colours(episode)
    assert np.linalg.norm(episode.target_m[-1] - episode.goal_m) < 0.08
    assert np.linalg.norm(episode.target_m[0] - episode.goal_m) > 0.1
    words = [caption(episode, frame) for frame in episode.frames]
    assert words[0] == "step 0  start"
    assert words[-1].endswith("success")
    assert any("grasp" in text or "lift" in text or "over" in text for text in words)


def test_the_sheet_holds_every_frame(shown):
    for episode in shown.values():
        sheet = episode_sheet(episode)
        assert sheet.shape[0] > 160
        assert sheet.shape[1] >= 160 + 2 * 75
        assert sheet.std() > 20


def test_a_recorded_episode_is_shown_as_it_was_recorded(store):
    episode = stored_episode(store, 0, "left", 4)
    assert episode.frames[0].camera.name == "left"
    stored = store[0]
    for frame in episode.frames:
        np.testing.assert_array_equal(frame.rgb, stored.arrays["rgb.left"][frame.step])
    assert object_colours(episode)
    assert [mark.step for mark in episode.keyposes] == list(stored.keyframes)
    assert all(mark.text for mark in episode.keyposes)
    assert stored_episode(store, 0, "", 2).frames[0].camera.name == "front"


def test_a_recording_without_ids_and_scene_has_paths_all_the_same(tmp_path):
    config = CollectionConfig(
        "metaworld", ("button-press-topdown",), 1, ("corner",), 32, 32, starts=("shifted",), scene=False
    )
    episode = stored_episode(collect(config, tmp_path / "data"), 0, "", 3)
    assert episode.target_m is None
    assert object_colours(episode) == {}
    assert episode.keyposes, "found in the motion"
    assert episode_sheet(episode).std() > 10


def test_video_alone_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    video = EpisodeStore.create(tmp_path, DatasetInfo(("pour",), cameras=("phone",), fps=10.0))
    rgb = np.zeros((4, 32, 32, 3), np.uint8)
    video.append(Episode(0, Case("video", "pour", 0, "phone"), "", 3, arrays={"rgb.phone": rgb}))
    with pytest.raises(DataError, match="that needs 'proprio' and a calibrated camera, of phone there is"):
        stored_episode(video, 0, "", 3)


def test_wrong_wishes_are_answered(store, tmp_path):
    with pytest.raises(UsageError, match="0 … 0, got 7"):
        stored_episode(store, 7, "", 4)
    with pytest.raises(UnknownName, match=r"'rihgt'.*Available: front, left"):
        stored_episode(store, 0, "rihgt", 4)
    with pytest.raises(UsageError, match=r"ends in \.png, \.html, \.rrd, got .*x\.gif"):
        writer(tmp_path / "x.gif")
    with pytest.raises(DataError, match="is no data set"):
        EpisodeStore(tmp_path / "nowhere")


@pytest.mark.parametrize("ending", [".png", ".html"])
def test_files(shown, tmp_path: Path, ending: str):
    for name, episode in shown.items():
        out = tmp_path / f"{name}{ending}"
        writer(out)(out, episode)
        if ending == ".png":
            picture = cv2.imread(str(out))
            assert picture is not None
            np.testing.assert_array_equal(picture[..., ::-1], episode_sheet(episode))
            continue
        page = out.read_text()
        assert episode.instruction in page
        assert page.count("<figure") == len(episode.frames)
        assert "http" not in page.replace('http-equiv="Content', "")


def test_without_the_extra_a_recording_is_refused_before_anything_is_played(monkeypatch):
    import builtins

    real = builtins.__import__

    def without_rerun(name, *rest, **more):
        if name == "rerun":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_rerun)
    with pytest.raises(MissingDependency, match=r"pip install 'kinesight\[viewer\]'"):
        writer(Path("x.rrd"))
    assert ".rrd" in WRITERS


def test_bounds_in_the_world_hold_what_is_seen(shown):
    from kinesight.geometry.camera import pixel_centres, unproject

    episode = shown["tabletop"]
    frame = episode.frames[0]
    depth = frame.depth_m.reshape(-1)
    points = unproject(pixel_centres(frame.camera), depth, frame.camera)
    found = episode_viewer.object_bounds(points, depth > 0, frame.segmentation.reshape(-1), episode)
    assert set(found) >= set(object_colours(episode))
    centre = episode.target_m[0]
    inside = [
        name for name, (low, high) in found.items() if ((low - 0.01 < centre) & (centre < high + 0.01)).all()
    ]
    assert any("grasp " + name in mark.text for name in inside for mark in episode.keyposes)


@pytest.mark.extra
def test_a_recording_for_rerun(shown, tmp_path):
    pytest.importorskip("rerun")
    out = tmp_path / "episode.rrd"
    writer(out)(out, shown["tabletop"])
    assert out.stat().st_size > 100_000
    assert out.read_bytes()[:3] == b"RRF"
