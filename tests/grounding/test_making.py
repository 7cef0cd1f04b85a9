"""Sets: the same files after an interruption, no frame twice, wrong use named."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ground_samples import CONFIG, contents

from kinesight.collection.grounding import make
from kinesight.collection.grounding.baselines import baseline
from kinesight.collection.grounding.drawing import moments_of, subset_of
from kinesight.collection.grounding.make import GroundConfig, ground
from kinesight.collection.grounding.near import LARGEST_DIFFERENCE, SeenFrames, thumbnail
from kinesight.collection.grounding.tabletop_actions import detours
from kinesight.collection.grounding.templates import ABSENT, TEMPLATES, action
from kinesight.data.ground_set import GroundSet
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.ground import GroundEpisode, Region


def test_an_interrupted_set_is_completed_to_the_same_files(small: GroundSet, tmp_path: Path):
    cut = tmp_path / "cut"
    shutil.copytree(small.path, cut)
    whole = contents(cut)
    (cut / "frames" / "000001.safetensors").unlink()
    (cut / "card.json").unlink()
    (cut / "frames" / ".000001.safetensors.77.partial").write_bytes(b"torn")
    ground(CONFIG, cut)
    (cut / "frames" / ".000001.safetensors.77.partial").unlink()
    assert contents(cut) == whole


@pytest.mark.slow
def test_workers_make_the_same_files(small: GroundSet, tmp_path: Path):
    made = tmp_path / "two"
    ground(CONFIG, made, workers=2)
    for folder in ("frames", "plans"):
        assert contents(made / folder) == contents(small.path / folder)


def test_trajectories_can_be_drawn_again_from_elsewhere(small: GroundSet, tmp_path: Path):
    config = replace(CONFIG, cameras=("left",), looks=("slate",), moments=2, modalities=("rgb",))
    again = ground(config, tmp_path / "again", plans=small.path / "plans")
    assert not (tmp_path / "again" / "plans").exists()
    assert [e.case for e in again.episodes] == [e.case for e in small.episodes]
    assert {(f.camera.name, f.look) for f in map(again.frame, range(again.frame_count))} == {
        ("left", "slate")
    }
    assert again[0].depth_m is None
    assert again.frame_count == 6


def test_a_folder_of_another_set_is_refused(small: GroundSet):
    with pytest.raises(DataError, match="moments is 4 there and 5 here"):
        ground(replace(CONFIG, moments=5), small.path)


def test_the_card_counts_what_is_there(small: GroundSet):
    card = json.loads((small.path / "card.json").read_text())
    assert sum(card["records"].values()) == len(small)
    assert card["frames"] == {"train": small.frame_count, "validation": 0, "test": 0}
    for name, each in card["types"].items():
        assert each["records"]["train"] == len(GroundSet(small.path, types=(name,)))
    assert card["privileged"] == ["scene", "segmentation"]
    assert card["absent"] == list(ABSENT)
    text = (small.path / "card.md").read_text()
    assert f"{len(small)} records" in text
    assert "pouring" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cameras": ("frond",)}, "Did you mean 'front'.*Available: free, front, left, right"),
        ({"looks": ("marbel",)}, "Did you mean 'marble'"),
        ({"env": "tabeltop"}, "Did you mean 'tabletop'"),
        ({"codec": "jpg"}, "Did you mean 'jpeg'"),
        ({"modalities": ("rgb", "depths")}, "Did you mean 'depth'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(change: dict, message: str):
    with pytest.raises(UnknownName, match=message):
        replace(CONFIG, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "32 pixels a side"),
        ({"most_records": 21}, "1 to 20 records"),
        ({"moments": 1}, "2 moments"),
        ({"modalities": ("depth",)}, "must name rgb"),
        ({"looks": ()}, "need a look"),
        ({"env_split": "interference"}, "interference"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict, message: str):
    with pytest.raises(UsageError, match=message):
        replace(CONFIG, **change)


def test_a_set_that_shows_nothing_is_an_error(small: GroundSet, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("kinesight.collection.grounding.drawing.ask", lambda *_: ())
    with pytest.raises(DataError, match=r"No frame in .* shows anything"):
        ground(replace(CONFIG, moments=2), tmp_path / "empty", plans=small.path / "plans")


def test_what_is_no_ground_set_is_named(tmp_path: Path, small: GroundSet):
    with pytest.raises(DataError, match="no ground set"):
        GroundSet(tmp_path)
    with pytest.raises(UnknownName, match="Did you mean 'validation'"):
        GroundSet(small.path, "validate")
    with pytest.raises(UnknownName, match="Did you mean 'box'"):
        GroundSet(small.path, types=("boxe",))
    with pytest.raises(IndexError):
        small[len(small)]


def test_frames_that_are_nearly_the_same_are_found():
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 200, (60, 16, 16, 3), dtype=np.uint8)
    seen = SeenFrames()
    assert all(seen.add("a", picture) for picture in pictures)
    assert not any(seen.add("a", picture + np.uint8(LARGEST_DIFFERENCE)) for picture in pictures)
    moved = pictures.copy()
    moved[:, 7, 9, 1] += LARGEST_DIFFERENCE + 1
    assert all(seen.add("a", picture) for picture in moved)
    assert seen.add("b", pictures[0]), "groups are apart"


def test_a_thumbnail_shows_a_thing_of_twenty_pixels():
    empty = np.full((128, 128, 3), 120, np.uint8)
    thing = empty.copy()
    thing[50:54, 60:65] = 200
    assert np.abs(thumbnail(empty).astype(int) - thumbnail(thing)).max() > LARGEST_DIFFERENCE


def test_a_region_survives_its_runs():
    generator = np.random.default_rng(1)
    for share in (0.02, 0.5, 1.0):
        mask = generator.random((13, 17)) < share
        region = Region.of(mask)
        np.testing.assert_array_equal(region.mask(), mask)
    with pytest.raises(ValueError, match="without a pixel"):
        Region.of(np.zeros((3, 4), bool))


def test_eighteen_templates_and_their_slots():
    assert len(TEMPLATES) == 18
    assert action("stack", {"item": "a", "place": "b"}, 0, 3).text == "stack a on b"
    with pytest.raises(ValueError, match="slots"):
        action("stack", {"item": "a"}, 0, 3)
    with pytest.raises(UnknownName, match="Did you mean 'stack'"):
        action("stak", {}, 0, 3)


def test_an_action_begun_twice_is_a_detour():
    actions = (action("open", {"item": "a"}, 0, 5), action("close", {"item": "a"}, 5, 40))
    once = [[3, "keypose", "pull"], [7, "keypose", "push"], [9, "subtask", "push"], [41, "keypose", "push"]]
    assert detours(actions, once) == frozenset()
    assert detours(actions, [*once, [40, "keypose", "push"]]) == {1}


def test_moments_hold_begins_and_ends():
    case = Case("tabletop", "swap", 0, "front")
    actions = (action("open", {"item": "a"}, 0, 5), action("close", {"item": "a"}, 5, 40))
    episode = GroundEpisode(0, case, "train", "", 40, actions)
    assert moments_of(episode, 5) == [0, 5, 22, 31, 40]
    assert moments_of(episode, 2) == [0, 5, 40]
    assert episode.action_at(4) == 0
    assert episode.action_at(5) == 1
    assert episode.action_at(40) == 2


def test_seeds_are_dealt_to_the_subsets_in_pairs():
    dealt = [subset_of(seed) for seed in range(1000, 1020)]
    assert dealt == ["train"] * 16 + ["validation"] * 2 + ["test"] * 2


def test_the_best_constant_is_chosen_on_train():
    made = baseline("count", {"train": ["1", "1", "2"], "test": ["2", "2", "1", "1"]})
    assert made is not None
    assert (made.constant, made.values) == ("1", {"train": 0.6667, "test": 0.5})
    paths = [np.zeros((8, 2)), np.full((8, 2), 0.2)]
    made = baseline("next-path", {"train": paths, "test": []})
    assert made is not None
    assert made.values == {"train": pytest.approx(100 * np.sqrt(2), abs=1e-3)}
    boxes = [np.array([0.0, 0.0, 0.2, 0.2]), np.array([0.0, 0.0, 0.2, 0.2]), np.array([0.5, 0.5, 0.7, 0.7])]
    made = baseline("box", {"train": boxes})
    assert made is not None
    assert made.values == {"train": 0.6667}


def test_every_environment_names_what_it_needs():
    for name, source in make.SOURCES.items():
        source.check(source.cameras, ("own", "random"))
        config = GroundConfig(name, (), 1)
        assert config.drawing().cameras == source.cameras
        assert config.plans().tasks == source.tasks
        with pytest.raises(UnknownName, match="with spatial records 'any'"):
            GroundConfig(name, ("any",), 1)
