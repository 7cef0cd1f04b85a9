"""Both ways to gather a batch agree with the stored arrays, and so do observations at test time."""

import re
from dataclasses import replace
from itertools import count, islice

import data_samples
import numpy as np
import pytest
import torch

from kinesight.data.derived import derive
from kinesight.data.episodes import DatasetInfo, EpisodeStore
from kinesight.data.windows import from_observations, open_windows, prefetching
from kinesight.interfaces.model import Windows
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.windows import GoalWithin, NextKeyframes, Offsets, Spread, Take, WindowSpec

NOW, GOAL = Offsets((0,)), GoalWithin(1, 4)
SPEC = WindowSpec(
    {
        "image": Take("rgb.{camera}", NOW),
        "goal": Take("rgb.{camera}", GOAL),
        "fixed": Take("rgb.r", GOAL),
        "depth": Take("depth_mm.l", Offsets((-4, 2))),
        "video": Take("rgb.{camera}", Spread(3)),
        "proprio": Take("proprio", Offsets((-1, 0))),
        "actions": Take("action", Offsets((0, 1, 2, 3))),
        "success": Take("success", NOW),
        "keyposes": Take("proprio", NextKeyframes(2)),
    }
)


def assert_same(a: Windows, b: Windows) -> None:
    assert a.instructions == b.instructions
    assert a.values.keys() == b.values.keys() == a.valid.keys()
    for name in a.values:
        assert a.values[name].dtype == b.values[name].dtype
        assert torch.equal(a.values[name], b.values[name]), name
        assert torch.equal(a.valid[name], b.valid[name]), name


def test_memory_and_files_give_the_same_batches(store):
    memory = open_windows(store, SPEC, ("l", "r"))
    files = open_windows(store, SPEC, ("l", "r"), memory_limit_bytes=0)
    assert memory.in_memory
    assert not files.in_memory
    for seed in range(20):
        assert_same(memory.batch((7, seed), 16), files.batch((7, seed), 16))


def test_a_batch_is_a_function_of_its_seed(store):
    source = open_windows(store, SPEC, ("l", "r"))
    assert_same(source.batch((1, 2), 32), source.batch((1, 2), 32))
    other = source.batch((1, 3), 32)
    assert not torch.equal(source.batch((1, 2), 32).values["proprio"], other.values["proprio"])


def test_a_share_of_the_examples_starts_at_the_first_frame(store):
    """Pictures tell the frame; without the share all are as likely."""

    def at_first(share: float) -> float:
        spec = WindowSpec({"image": Take("rgb.l", NOW)}, from_first=share)
        marks = open_windows(store, spec).batch((0,), 2000).values["image"][:, 0, 0, 0, 0]
        return float((marks % 20 == 0).float().mean())

    evenly = at_first(0.0)
    assert evenly < 0.4
    assert at_first(0.5) == pytest.approx(0.5 + 0.5 * evenly, abs=0.05)
    assert at_first(1.0) == 1.0
    with pytest.raises(UsageError, match=r"from_first must lie in \[0, 1\], got 2"):
        WindowSpec({}, from_first=2.0)


def test_batches_hold_what_the_store_holds(store):
    """Pictures tell camera, episode and frame, so that every row can be traced back."""
    batch = open_windows(store, SPEC, ("l", "r")).batch((0,), 256)
    marks = batch.values["image"][:, 0, 0, 0, 0].numpy().astype(int)
    episodes, rest = marks // 40, marks % 40
    assert set(episodes) == set(range(6))
    for b in range(256):
        episode = store[int(episodes[b])]
        camera, t = "lr"[rest[b] // 20], rest[b] % 20
        assert 0 <= t < episode.length
        assert batch.instructions[b] == episode.instruction
        goal = int(batch.values["goal"][b, 0, 0, 0, 0]) - marks[b] + t
        assert min(t + 1, episode.length) <= goal <= min(t + 4, episode.length)
        assert torch.equal(batch.values["fixed"][b, 0], torch.from_numpy(episode.arrays["rgb.r"][goal]))
        assert torch.equal(
            batch.values["video"][b, -1], torch.from_numpy(episode.arrays[f"rgb.{camera}"][-1])
        )
        rows = t + np.arange(4)
        expected = episode.arrays["action"][np.minimum(rows, episode.length - 1)]
        np.testing.assert_array_equal(batch.values["actions"][b].numpy(), expected)
        np.testing.assert_array_equal(batch.valid["actions"][b].numpy(), rows < episode.length)
        np.testing.assert_array_equal(batch.valid["proprio"][b].numpy(), [t >= 1, True])
        depth = episode.arrays["depth_mm.l"][np.clip([t - 4, t + 2], 0, episode.length)]
        np.testing.assert_array_equal(batch.values["depth"][b].numpy(), depth)
        frames = [k for k in episode.keyframes if k > t][:2]
        np.testing.assert_array_equal(
            batch.values["keyposes"][b, : len(frames)].numpy(), episode.arrays["proprio"][frames]
        )
        assert int(batch.valid["keyposes"][b].sum()) == len(frames)


def test_start_frames_are_drawn_uniformly_and_cameras_too(store):
    spec = WindowSpec({"image": Take("rgb.{camera}", NOW), "p": Take("proprio", NOW)})
    source = open_windows(store, spec, ("l", "r"))
    n = 60_000
    episodes, starts, cameras = source.table.draw(np.random.default_rng(0), n)
    lengths = [5, 9, 1, 18, 12, 3]
    counts = {(e, t): 0 for e, length in enumerate(lengths) for t in range(length)}
    for e, t in zip(episodes, starts, strict=True):
        counts[int(e), int(t)] += 1
    assert len(counts) == sum(lengths)
    share = 1 / sum(lengths)
    assert np.all(np.abs(np.array(list(counts.values())) / n - share) < 5 * np.sqrt(share / n))
    assert abs(cameras.mean() - 0.5) < 0.02


def test_task_weights_are_shares_of_the_examples(store):
    spec = WindowSpec({"p": Take("proprio", NOW)})
    source = open_windows(store, spec, task_weights={"a": 3.0, "b": 1.0})
    told = source.batch((0,), 8000).instructions
    assert abs(told.count("do a") / 8000 - 0.75) < 0.02
    with pytest.raises(UnknownName, match="'c'"):
        open_windows(store, spec, task_weights={"a": 1.0, "b": 1.0, "c": 1.0})
    with pytest.raises(UsageError, match="lack b"):
        open_windows(store, spec, task_weights={"a": 1.0})
    with pytest.raises(UsageError, match="positive"):
        open_windows(store, spec, task_weights={"a": 1.0, "b": 0.0})


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a single core
@pytest.mark.parametrize(("limit", "workers"), [(0, 2), (0, 0), (1 << 30, 2)])
def test_prefetching_gives_the_batches_of_the_seeds_in_order(store, limit, workers):
    source = open_windows(store, SPEC, ("l", "r"), memory_limit_bytes=limit)
    ahead = prefetching(source, ((5, step) for step in count()), 8, workers)
    for step, windows in enumerate(islice(ahead, 6)):
        assert_same(windows, source.batch((5, step), 8))


def test_several_stores_are_one_source(store, tmp_path):
    other = EpisodeStore.create(tmp_path, DatasetInfo(("z",), ("l", "r"), 80.0))
    other.append(replace(data_samples.episode(12, 5, np.random.default_rng(0)), instruction="do z"))
    memory = open_windows((store, other), SPEC, ("l", "r"))
    files = open_windows((store, other), SPEC, ("l", "r"), memory_limit_bytes=0)
    batch = memory.batch((0,), 64)
    assert set(batch.instructions) == {"do a", "do b", "do z"}
    assert_same(batch, files.batch((0,), 64))


def _every_second(episode):
    return {"keyframe": np.arange(episode.length + 1) % 2 == 0}


def test_derived_keys_are_taken_like_stored_ones_and_keyframes_stand_in(store, tmp_path):
    copy = EpisodeStore.create(tmp_path, store.info)
    copy.append(store[3])
    spec = WindowSpec({"row": Take("plan.row", NOW), "next": Take("double", NextKeyframes(1))})
    derived = copy.with_derived(
        derive(copy, "double", data_samples.double_proprio), derive(copy, "kf", _every_second)
    )
    batch = open_windows(derived, spec).batch((0,), 64)
    assert_same(batch, open_windows(derived, spec, memory_limit_bytes=0).batch((0,), 64))
    double = derived[0].arrays["double"]
    for start, row in zip(batch.values["row"][:, 0].tolist(), batch.values["next"][:, 0], strict=True):
        np.testing.assert_array_equal(row.numpy(), double[2 * (start // 2) + 2])


BAD = [
    ({"x": Take("rgb.{camera}", NOW)}, (), UsageError, "needs at least one camera"),
    ({"x": Take("rgb.{camera}", NOW)}, ("l", "m"), DataError, "Unknown key 'rgb.m'. Did you mean"),
    ({"x": Take("actoin", NOW)}, (), DataError, "episode 0: Unknown key 'actoin'. Did you mean 'action'?"),
    ({"x": Take("{camera}", NOW)}, ("proprio", "action"), DataError, "must be alike"),
]


@pytest.mark.parametrize(("takes", "cameras", "error", "message"), BAD, ids=[bad[3] for bad in BAD])
def test_takes_that_cannot_be_served_are_refused(store, takes, cameras, error, message):
    with pytest.raises(error, match=re.escape(message)):
        open_windows(store, WindowSpec(takes), cameras)


def test_an_empty_store_and_unlike_episodes_are_refused(store, tmp_path):
    empty = EpisodeStore.create(tmp_path / "empty", store.info)
    with pytest.raises(DataError, match="No episodes in"):
        open_windows(empty, SPEC, ("l", "r"))
    empty.append(store[0])
    other = store[1]
    wide = np.zeros((other.length + 1, 9), np.float32)
    empty.append(replace(other, arrays={**other.arrays, "proprio": wide}))
    with pytest.raises(DataError, match=r"differ in 'proprio': rows of float32\[8\] and float32\[9\]"):
        open_windows(empty, SPEC, ("l", "r"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_batches(store):
    cpu = open_windows(store, SPEC, ("l", "r"))
    for limit in (0, 1 << 30):
        gpu = open_windows(store, SPEC, ("l", "r"), device="cuda", memory_limit_bytes=limit)
        batch = gpu.batch((3,), 64)
        moved = Windows(
            {name: value.cpu() for name, value in batch.values.items()},
            {name: value.cpu() for name, value in batch.valid.items()},
            batch.instructions,
        )
        assert_same(cpu.batch((3,), 64), moved)
        assert all(value.is_cuda for value in batch.values.values())


def test_from_observations_needs_known_takes():
    with pytest.raises(UnknownName, match=r"'imag'. Did you mean 'image'"):
        from_observations({"imag": []}, SPEC)
    with pytest.raises(UsageError, match="at least one observation"):
        from_observations({"image": []}, SPEC, "l")
