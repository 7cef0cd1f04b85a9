"""Laws of the store: what is appended is read back, a window is a slice of the whole, damage is named."""

import os
import pickle
import re
from dataclasses import replace
from pathlib import Path

import data_samples
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.types.case import Case
from kinesight.types.errors import DataError

INFO = DatasetInfo(("a",), ("l",), 80.0, versions={"numpy": "2"})
TYPES = ("uint8", "uint16", "int64", "float32", "float64", "bool")


@st.composite
def episodes(draw):
    length = draw(st.integers(1, 6))
    keys = draw(st.sets(st.sampled_from(["action", "rgb.l", "état", "a b"]), min_size=1))
    arrays = {}
    for key in sorted(keys):
        shape = (length + draw(st.integers(0, 1)), *draw(hnp.array_shapes(max_dims=3, max_side=3)))
        arrays[key] = draw(hnp.arrays(np.dtype(draw(st.sampled_from(TYPES))), shape))
    # Built in the test: the type checks of the test run draw from `random`, which a strategy must not.
    return {
        "index": 0,
        "case": Case("e", draw(st.text(max_size=5)), draw(st.integers(0, 9)), "l"),
        "instruction": draw(st.text(max_size=9)),
        "length": length,
        "keyframes": tuple(sorted(draw(st.sets(st.integers(0, length))))),
        "text": draw(
            st.dictionaries(st.text(max_size=3), st.integers() | st.lists(st.text(max_size=3)), max_size=2)
        ),
        "arrays": arrays,
    }


@settings(max_examples=40, deadline=None)
@given(fields=episodes(), start=st.integers(0, 7), length=st.integers(0, 7))
def test_round_trip_and_window(tmp_path_factory, fields, start, length):
    episode = Episode(**fields)
    folder = tmp_path_factory.mktemp("round")
    store = EpisodeStore.create(folder, INFO)
    assert store.append(episode) == 0
    store = EpisodeStore(folder)
    back = store[0]
    for name in ("case", "instruction", "length", "keyframes", "text"):
        assert getattr(back, name) == getattr(episode, name)
    assert store.info == INFO
    assert store.keys() == tuple(sorted(episode.arrays))
    window = store.window(0, start, length, store.keys())
    for key, array in episode.arrays.items():
        assert back.arrays[key].dtype == array.dtype
        np.testing.assert_array_equal(back.arrays[key], array)
        np.testing.assert_array_equal(window[key], array[start : start + length])
        assert store.layout(0)[key].shape == array.shape


def test_meta_has_the_cameras_and_no_arrays(store):
    meta = store.meta(3)
    assert meta.index == 3
    assert not meta.arrays
    assert meta is store.meta(3)
    assert np.array_equal(meta.cameras["r"].K, data_samples.camera("r").K)
    assert [each.length for each in store] == [5, 9, 1, 18, 12, 3]
    with pytest.raises(IndexError):
        store[6]


def test_equal_episodes_give_equal_bytes(tmp_path):
    for name in "ab":
        EpisodeStore.create(tmp_path / name, INFO).append(
            data_samples.episode(4, 0, np.random.default_rng(0))
        )
    a, b = (tmp_path / name / "episodes" / "000000.safetensors" for name in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_arrays_that_are_not_contiguous_are_stored_as_they_read(tmp_path):
    array = np.arange(24).reshape(4, 6)[:, ::2]
    store = EpisodeStore.create(tmp_path, INFO)
    store.append(Episode(0, Case("e", "a", 0, "l"), "", 3, arrays={"x": array}))
    np.testing.assert_array_equal(store[0].arrays["x"], array)


def test_a_store_travels_to_other_processes(store):
    other = pickle.loads(pickle.dumps(store))
    assert len(other) == len(store)
    np.testing.assert_array_equal(other[1].arrays["action"], store[1].arrays["action"])


def test_leftovers_of_a_killed_write_are_no_episodes(tmp_path):
    store = EpisodeStore.create(tmp_path, INFO)
    store.append(data_samples.episode(2, 0, np.random.default_rng(0)))
    (tmp_path / "episodes" / ".000001.safetensors.77.partial").write_bytes(b"half")
    store = EpisodeStore(tmp_path)
    assert len(store) == 1
    store.append(data_samples.episode(2, 0, np.random.default_rng(0)))
    assert sorted(os.listdir(tmp_path / "episodes")) == ["000000.safetensors", "000001.safetensors"]


def _episode(**changes) -> Episode:
    return replace(data_samples.episode(3, 0, np.random.default_rng(0)), **changes)


BAD_EPISODES = [
    (lambda: _episode(arrays={"action": np.zeros((5, 4))}), "has neither 3 rows"),
    (lambda: _episode(arrays={"action": np.zeros(())}), "has neither 3 rows"),
    (lambda: _episode(length=0, arrays={}), "at least one action"),
    (lambda: _episode(keyframes=(2, 1)), "must rise"),
    (lambda: _episode(keyframes=(4,)), "must rise"),
]


@pytest.mark.parametrize(("make", "message"), BAD_EPISODES, ids=[message for _, message in BAD_EPISODES])
def test_impossible_episodes_are_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_episodes_of_a_store_have_the_same_keys(tmp_path):
    store = EpisodeStore.create(tmp_path, INFO)
    first = _episode()
    store.append(first)
    with pytest.raises(DataError, match="lacks proprio"):
        store.append(replace(first, arrays={k: v for k, v in first.arrays.items() if k != "proprio"}))
    with pytest.raises(DataError, match="has extra"):
        store.append(replace(first, arrays={**first.arrays, "extra": np.zeros(3)}))
    with pytest.raises(DataError, match="cannot be stored"):
        store.append(replace(first, arrays={**first.arrays, "success": np.array(["a", "b", "c"])}))
    assert len(EpisodeStore(tmp_path)) == 1


def test_a_task_may_have_points_of_its_own(tmp_path):
    store = EpisodeStore.create(tmp_path, INFO)
    first = _episode()
    nail = np.zeros((first.length + 1, 3), np.float32)
    for arrays in (first.arrays, {**first.arrays, "scene.nail": nail}, first.arrays):
        store.append(replace(first, arrays=arrays))
    assert [("scene.nail" in store[i].arrays) for i in range(3)] == [False, True, False]
    with pytest.raises(DataError, match=r"000002.*Unknown key 'scene\.nail'"):
        EpisodeStore(tmp_path).window(2, 0, 1, ("scene.nail",))


@pytest.fixture
def damaged(tmp_path) -> Path:
    EpisodeStore.create(tmp_path, INFO).append(_episode())
    return tmp_path / "episodes" / "000000.safetensors"


def _fails(file: Path, *parts: str) -> None:
    with pytest.raises(DataError) as raised:
        EpisodeStore(file.parents[1])[0]
    for part in (str(file), *parts):
        assert part in str(raised.value)


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_truncated_files_are_named(damaged, size):
    content = damaged.read_bytes()
    damaged.write_bytes(content[:size])
    _fails(damaged, "damaged")


def test_foreign_files_are_named(damaged):
    save_file({"x": np.zeros(3)}, damaged, metadata={"format": "pt"})
    _fails(damaged, "no Kinesight file", "format")
    damaged.write_bytes(b"PK\x03\x04 something else entirely, quite long" * 10)
    _fails(damaged, "damaged or not a safetensors file")


def test_another_schema_is_named(damaged):
    content = damaged.read_bytes().replace(b'\\"schema\\": 1', b'\\"schema\\": 7')
    damaged.write_bytes(content)
    _fails(damaged, "schema 7, this version reads 1")


def test_text_with_an_unknown_field_is_named(damaged):
    content = damaged.read_bytes().replace(b'\\"instruction\\"', b'\\"insruction\\":0,')
    damaged.write_bytes(content.replace(b'\\"instruction\\"', b'\\"instructiom\\"'))
    with pytest.raises(DataError, match=re.escape(str(damaged))):
        EpisodeStore(damaged.parents[1]).meta(0)


def test_missing_keys_come_with_the_nearest_name_and_the_list(store):
    with pytest.raises(DataError, match=r"'actoin'. Did you mean 'action'\? Available: action, depth_mm.l"):
        store.window(0, 0, 1, ["actoin"])


def test_folders_without_a_data_set(tmp_path, damaged):
    with pytest.raises(DataError, match=r"no data set: cannot read dataset\.json"):
        EpisodeStore(tmp_path / "nowhere")
    with pytest.raises(DataError, match="exists already"):
        EpisodeStore.create(tmp_path, INFO)
    damaged.rename(damaged.with_name("000002.safetensors"))
    with pytest.raises(DataError, match=r"000000\.safetensors is missing"):
        EpisodeStore(tmp_path)
    (tmp_path / "dataset.json").write_text('{"schema": 99}')
    with pytest.raises(DataError, match="schema 99, this version reads 1"):
        EpisodeStore(tmp_path)
