"""Collections: the same files whatever the workers and interruptions; records equal what is observed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import point_mass
import pytest
import torch

from kinesight.agents.episode import run_episode
from kinesight.collection.collect import collect
from kinesight.collection.recorder import Recorder
from kinesight.data.episodes import EpisodeStore
from kinesight.data.windows import from_observations, open_windows
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.observation import Observation
from kinesight.types.windows import Offsets, Spread, Take, WindowSpec

CONFIG = point_mass.CONFIG


def run(path, config=CONFIG, workers=1, make_environment=point_mass.make_environment) -> EpisodeStore:
    return collect(config, path, workers, "", make_environment, point_mass.make_expert)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> EpisodeStore:
    return run(tmp_path_factory.mktemp("whole") / "d")


def test_a_collection_holds_what_was_asked_for(whole):
    metas = [whole.meta(i) for i in range(len(whole))]
    # Seeds that end in 3 or 8 fail, so that they are left out and others are taken for them.
    expected = [1000, 1001, 1002, 1004]
    for task in CONFIG.tasks:
        assert [m.case.seed for m in metas if m.case.task == task] == expected
    assert whole.info.failed == dict.fromkeys(CONFIG.tasks, (1003,))
    assert [m.case.start for m in metas[:4]] == ["standard", "standard", "shifted", "shifted"]
    assert whole.info.action == point_mass.SPEC
    episode = whole[0]
    arrays = episode.arrays
    shape = (episode.length + 1, CONFIG.height, CONFIG.width)
    assert arrays["rgb.side"].shape == (*shape, 3)
    assert arrays["depth_mm.front"].dtype == np.uint16
    assert arrays["segmentation.front"].shape == shape
    assert arrays["K.front"].shape == (episode.length + 1, 3, 3)
    assert {"scene.target", "state", "proprio"} <= arrays.keys()
    assert list(arrays["success"]) == [False] * (episode.length - 3) + [True] * 3
    assert episode.text["steps"] == episode.length - CONFIG.hold_steps
    assert episode.text["events"] == [[0, "start", "first step"]]
    assert episode.text["segmentation_names"]["front"] == {"0": "background", "1": "target", "2": "robot"}
    assert episode.cameras["side"].width == CONFIG.width


def test_labels_are_the_clipped_corrections_and_differ_from_what_was_executed(whole):
    arrays = whole[0].arrays
    way = arrays["scene.target"][:-1] - arrays["proprio"][:-1, :3]
    np.testing.assert_allclose(arrays["action"][:, :3], np.clip(5 * way, -1, 1), atol=1e-5)
    assert np.all(arrays["action"][:, 3] == 1.0)
    moved = np.diff(arrays["proprio"][:, :3], axis=0)
    np.testing.assert_allclose(moved, 0.1 * arrays["executed"][:, :3], atol=1e-6)
    assert not np.array_equal(arrays["executed"], arrays["action"])


def test_two_workers_give_the_same_files_as_one(whole, tmp_path):
    assert contents(run(tmp_path / "d", workers=2).path) == contents(whole.path)


@pytest.mark.parametrize("kept", [0, 3, 6, 7])
def test_a_cut_collection_is_completed_to_the_same_files(whole, tmp_path, kept):
    store = EpisodeStore.create(tmp_path / "d", replace(whole.info, failed=dict.fromkeys(CONFIG.tasks, ())))
    for index in range(kept):
        store.append(whole[index])
    assert contents(run(store.path).path) == contents(whole.path)


@pytest.mark.parametrize(
    ("workers", "number"),
    [
        (2, signal.SIGKILL),
        pytest.param(1, signal.SIGKILL, marks=pytest.mark.sweep),
        pytest.param(2, signal.SIGINT, marks=pytest.mark.sweep),
    ],
)
def test_a_killed_collection_is_completed_to_the_same_files(whole, tmp_path, workers, number):
    folder = tmp_path / "d"
    script = Path(__file__).with_name("collect_slowly.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), "2"],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        # Where the tests run in the background of a shell, Ctrl-C is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 40
    while len(list(folder.glob("episodes/*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() != 0
    assert 2 <= len(EpisodeStore(folder)) < len(whole)
    assert contents(run(folder).path) == contents(whole.path)


def test_a_collection_that_another_process_makes_is_waited_for(whole, tmp_path):
    def for_its_actions_only(case, limit):
        assert limit == 1, f"recorded {case}, which another process was to record"
        return point_mass.make_environment(case, limit)

    folder = tmp_path / "d"
    script = Path(__file__).with_name("collect_slowly.py")
    known = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    settings = {**os.environ, "PYTHONPATH": known}
    command = [sys.executable, str(script), str(folder), "1"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=settings) as process:
        while not (folder / "dataset.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        assert contents(run(folder, make_environment=for_its_actions_only).path) == contents(whole.path)
    assert process.returncode == 0


def test_a_complete_collection_is_left_alone(whole):
    before = {p: p.stat().st_mtime_ns for p in whole.path.rglob("*")}
    run(whole.path)
    assert {p: p.stat().st_mtime_ns for p in whole.path.rglob("*")} == before


def test_another_collection_in_the_folder_is_named(whole):
    with pytest.raises(DataError, match=r"episodes is 4 there and 5 here; width is 16 there and 8 here"):
        run(whole.path, replace(CONFIG, episodes=5, width=8))


def test_a_full_disk_leaves_the_finished_episodes(whole, tmp_path, monkeypatch):
    replace_file, writes = os.replace, []

    def full(source, target):
        writes.append(target)
        if len(writes) > 4:  # dataset.json and three episodes
            raise OSError(28, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match=r"000003\.safetensors: No space left on device"):
        run(tmp_path / "d")
    monkeypatch.undo()
    assert len(EpisodeStore(tmp_path / "d")) == 3
    assert contents(run(tmp_path / "d").path) == contents(whole.path)


def test_a_hopeless_task_ends_with_its_counts(tmp_path):
    with pytest.raises(DataError, match=r"succeeded at 0 of 24 seeds of 'far'; 1 episodes are wanted"):
        run(tmp_path / "d", replace(CONFIG, tasks=("far",), episodes=1, limit=1, starts=("standard",)))


def test_failures_are_kept_where_they_are_wanted(tmp_path):
    config = replace(CONFIG, tasks=("near",), episodes=4, only_successes=False)
    store = run(tmp_path / "d", config)
    assert [store.meta(i).text["succeeded"] for i in range(4)] == [True, True, True, False]
    assert store.info.failed == {"near": ()}


def test_wrong_configurations_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'near'"):
        run(tmp_path / "d", replace(CONFIG, tasks=("nea",)))
    for change in (
        {"tasks": ()},
        {"cameras": ()},
        {"episodes": 0},
        {"starts": ("odd",)},
        {"tasks": ("a", "a")},
    ):
        with pytest.raises(UsageError):
            replace(CONFIG, **change)
    assert not (tmp_path / "d").exists()


class Keeper:
    """Keeps the observations that a recorder of the same request stores."""

    def __init__(self, request) -> None:
        self.request = request

    def start(self, case, environment) -> None:
        self.environment = environment
        self.seen: list[Observation] = [environment.observe(self.request)]

    def step(self, observation, decision, result) -> None:
        self.seen.append(self.environment.observe(self.request))

    def end(self, result) -> None: ...


@pytest.mark.parametrize("camera", point_mass.CAMERAS)
def test_observations_give_the_windows_of_the_store(tmp_path, whole, camera):
    case = CONFIG.case("far", 1001)
    keeper, recorder = Keeper(CONFIG.request()), Recorder(CONFIG.request())
    run_episode(point_mass.PointMass(case, 60), point_mass.Expert(0.0), (recorder, keeper))
    store = EpisodeStore.create(tmp_path, whole.info)
    store.append(recorder.episode())
    past, now, whole_video = Offsets((-3, -1, 0)), Offsets((0,)), Spread(5)
    kinds = ("rgb", "depth_mm", "segmentation", "K", "T_world_camera")
    spec = WindowSpec(
        {kind: Take(f"{kind}.{{camera}}", past) for kind in kinds}
        | {key: Take(key, now) for key in ("proprio", "state", "scene.target", "rgb.front")}
        | {"video": Take("rgb.{camera}", whole_video), "action": Take("action", now)}
    )
    source = open_windows(store, spec, (camera,))
    generator = np.random.default_rng(np.random.SeedSequence((5,)))
    _, starts, _ = source.table.draw(generator, 12)
    batch = source.batch((5,), 12)
    bounds = source.table.bounds(np.zeros(12, int))
    drawn = spec.indices(starts, bounds, generator)
    for b in range(12):
        frames = {
            name: [keeper.seen[t] for t in indices[b]]
            for name, (indices, _) in drawn.items()
            if name != "action"
        }
        marks = {name: valid[b].tolist() for name, (_, valid) in drawn.items()}
        windows = from_observations(frames, spec, camera, valid=marks)
        assert windows.instructions == (batch.instructions[b],)
        for name in frames:
            assert windows.values[name].dtype == batch.values[name].dtype
            assert torch.equal(windows.values[name][0], batch.values[name][b]), name
            assert torch.equal(windows.valid[name][0], batch.valid[name][b]), name


def test_observations_without_the_key_are_answered():
    environment = point_mass.PointMass(point_mass.case(), 9)
    environment.reset()
    observation = environment.observe(point_mass.ViewRequest(("front",), 4, 4))
    spec = WindowSpec({"image": Take("rgb.{camera}", Offsets((0,)))})
    with pytest.raises(DataError, match=r"step 0: Unknown key 'rgb.side'.*rgb\.front\."):
        from_observations({"image": [observation]}, spec, "side")
