"""Derived keys behave like stored ones; an interrupted derivation goes on where it stopped."""

from contextlib import contextmanager

import data_samples
import numpy as np
import pytest

from kinesight.data import derived
from kinesight.data.derived import derive
from kinesight.data.episodes import DatasetInfo, EpisodeStore
from kinesight.types.errors import DataError


@pytest.fixture
def fresh(tmp_path) -> EpisodeStore:
    store = EpisodeStore.create(tmp_path / "store", DatasetInfo(("a",), ("l",), 80.0))
    for index in range(4):
        store.append(data_samples.episode(index + 2, index, np.random.default_rng(index)))
    return store


@pytest.mark.parametrize("workers", [1, 2])
def test_derived_keys_are_read_like_stored_ones(fresh, workers):
    folder = derive(fresh, "double", data_samples.double_proprio, workers=workers)
    store = fresh.with_derived(folder)
    assert {"double", "plan.row", "proprio"} <= set(store.keys())
    for index, episode in enumerate(store):
        np.testing.assert_array_equal(episode.arrays["double"], 2 * episode.arrays["proprio"])
        window = store.window(index, 1, 2, ("double", "proprio"))
        np.testing.assert_array_equal(window["double"], 2 * window["proprio"])
    assert "double" not in fresh.layout(0)
    assert EpisodeStore(fresh.path, derived=(folder.name,)).keys() == store.keys()


def test_resuming_gives_the_same_files_and_keeps_the_finished_ones(fresh):
    whole = derive(fresh, "whole", data_samples.Fails(99), parameters={"limit": 99})
    with pytest.raises(RuntimeError, match="out of luck") as raised:
        derive(fresh, "part", data_samples.Fails(3), parameters={"n": 1})
    assert "while working on 2" in raised.value.__notes__
    part = next(fresh.path.glob("derived/part-*"))
    with pytest.raises(DataError, match="2 of 4 episodes"):
        fresh.with_derived(part)
    before = (part / "000000.safetensors").stat().st_mtime_ns
    assert derive(fresh, "part", data_samples.Fails(99), parameters={"n": 1}) == part
    assert (part / "000000.safetensors").stat().st_mtime_ns == before
    assert len(list(part.glob("*.safetensors"))) == 4
    for index in range(4):
        a, b = (EpisodeStore(fresh.path, (f.name,)).window(index, 0, 9, ("double",)) for f in (whole, part))
        np.testing.assert_array_equal(a["double"], b["double"])


def test_what_another_process_derives_meanwhile_is_not_derived_again(fresh, monkeypatch):
    @contextmanager
    def waits(file, what):
        monkeypatch.undo()
        derive(fresh, "part", data_samples.Fails(99), parameters={"n": 1})
        yield

    monkeypatch.setattr(derived, "waited_for", waits)
    folder = derive(fresh, "part", data_samples.Fails(0), parameters={"n": 1})
    assert len(list(folder.glob("*.safetensors"))) == 4


def test_whatever_decides_the_content_has_its_own_folder(fresh):
    folders = {
        derive(fresh, "a", data_samples.double_proprio),
        derive(fresh, "b", data_samples.double_proprio),
        derive(fresh, "a", data_samples.double_proprio, parameters={"x": 1}),
        derive(fresh, "a", data_samples.double_proprio, version=2),
        derive(fresh, "a", data_samples.Fails(99)),
    }
    assert len(folders) == 5


def _three_rows(episode):
    return {"x": np.zeros(33)}


def _nothing(episode):
    return {}


def _again(episode):
    return {"action": episode.arrays["action"]}


@pytest.mark.parametrize(
    ("function", "message"),
    [(_three_rows, "has neither 2 rows"), (_nothing, "no array"), (_again, "'action' would hide")],
)
def test_wrong_derivations_are_refused(fresh, function, message):
    with pytest.raises(DataError, match=message):
        derive(fresh, "wrong", function)


def test_unknown_derived_keys_come_with_the_nearest_name(fresh):
    folder = derive(fresh, "double", data_samples.double_proprio)
    with pytest.raises(DataError, match=f"Did you mean '{folder.name}'"):
        fresh.with_derived(folder.name[:-1] + "x")
    with pytest.raises(DataError, match="would hide"):
        EpisodeStore(fresh.path, (folder.name, folder.name))
