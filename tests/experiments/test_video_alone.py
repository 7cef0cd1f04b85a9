"""Video without actions and proprioception: what learns from it, what refuses it, who uses the outcome."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import point_mass
import pytest

from kinesight.cli.train import train
from kinesight.collection.collect import collect
from kinesight.data.episodes import DatasetInfo, EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.experiments import catalogue
from kinesight.experiments.fit import check_fit
from kinesight.experiments.runs import Run, create_run, load_stage, open_run
from kinesight.experiments.ssm_vla import FEATURES, LAM, POLICY, make_agent
from kinesight.experiments.training import train_run
from kinesight.models.latent_actions import LatentActions
from kinesight.types.errors import DataError

TINY = "ssm-vla-tiny"


@pytest.fixture(scope="module")
def acted(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """The point mass, with everything."""
    config = replace(point_mass.CONFIG, segmentation=False, episodes=2, cameras=("front",), scene=False)
    path = tmp_path_factory.mktemp("video") / "acted"
    return collect(config, path, 1, "", point_mass.make_environment, point_mass.make_expert)


def filmed(store: EpisodeStore, path: Path, *kinds: str) -> EpisodeStore:
    """Its pictures alone, by a camera that nobody calibrated."""
    video = EpisodeStore.create(path, DatasetInfo(store.info.tasks, ("phone",), store.info.fps))
    for episode in store:
        pictures = {f"{kind}.phone": episode.arrays[f"{kind}.front"] for kind in kinds}
        case = replace(episode.case, env="video", camera="phone")
        video.append(replace(episode, case=case, cameras={}, keyframes=(), text={}, arrays=pictures))
    return video


@pytest.fixture(scope="module")
def video(acted: EpisodeStore) -> EpisodeStore:
    return filmed(acted, acted.path.parent / "video", "rgb", "depth_mm")


@pytest.fixture(scope="module")
def watched(video: EpisodeStore) -> Run:
    """Features and latent actions of the video, by the command line."""
    out = video.path.parent / "watched"
    train(TINY, data=str(video.path), out=out, stage="features,lam")
    return open_run(out)


def test_facts_of_video_hold_no_actions_and_no_calibration(video: EpisodeStore) -> None:
    facts = data_facts(video)
    assert (facts.env, facts.action, facts.proprio_low, facts.proprio_high) == ("video", None, (), ())
    assert (facts.image_size, facts.cameras, dict(facts.calibration)) == ((12, 16), ("phone",), {})
    assert {"near", "far"} & set(facts.words), "instructions are read where there are some"


def test_latent_actions_learn_from_video_alone(watched: Run) -> None:
    lines = (watched.stage_folder(LAM) / "metrics.jsonl").read_text().splitlines()
    found = {name: value for line in lines for name, value in json.loads(line).items()}
    for horizon in (2, 4):
        assert 1 <= found[f"perplexity/{horizon}"] <= found[f"used/{horizon}"] <= 8
        errors = ("error", "copy_error", "other_error", "still_error")
        assert {f"{name}/{horizon}" for name in errors} <= found.keys()
        assert 0 <= found[f"still_share/{horizon}"] <= 1
    trained = load_stage(watched, LAM)
    assert isinstance(trained.model, LatentActions)
    assert trained.facts.action is None
    check_fit(trained, [point_mass.case()])  # it acts nowhere, so no environment can be the wrong one


def test_a_stage_that_acts_refuses_video_before_anything_is_trained(
    video: EpisodeStore, tmp_path: Path
) -> None:
    expected = (
        f"{re.escape(str(video.path))}: policy needs 'proprio', which is not recorded; "
        r"there are depth_mm.phone, rgb.phone\."
    )
    with pytest.raises(DataError, match=expected):
        train(TINY, data=str(video.path), out=tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert not run.stage_folder(FEATURES).exists()
    assert not run.record().data, "another data set may still be given"


def test_actions_without_proprioception_and_the_reverse_are_refused_by_name(
    acted: EpisodeStore, tmp_path: Path
) -> None:
    run = create_run(tmp_path / "run", catalogue.recipe(TINY))
    for missing in ("action", "proprio"):
        store = EpisodeStore.create(tmp_path / missing, acted.info)
        for episode in acted:
            kept = {key: array for key, array in episode.arrays.items() if key != missing}
            store.append(replace(episode, arrays=kept))
        with pytest.raises(DataError, match=f"policy needs '{missing}', which is not recorded"):
            train_run(run, store)


def test_video_without_depth_is_learned_from_in_colour(acted: EpisodeStore, tmp_path: Path) -> None:
    colour = filmed(acted, tmp_path / "colour", "rgb")
    assert set(colour.keys()) == {"rgb.phone"}
    run = create_run(tmp_path / "run", catalogue.recipe(TINY))
    with pytest.raises(
        DataError, match=r"no depth is recorded of phone.*--set stages\.lam\.model\.depth=false"
    ):
        train_run(run, colour, [FEATURES, LAM])
    assert not run.stage_folder(FEATURES).exists()
    out = tmp_path / "without"
    overrides = ("stages.lam.model.depth=false",)
    train(TINY, data=str(colour.path), out=out, stage="features,lam", overrides=(overrides,))
    assert load_stage(open_run(out), LAM).facts.action is None


def test_a_policy_learns_the_codes_of_video_of_something_else(
    watched: Run, acted: EpisodeStore, tmp_path: Path
) -> None:
    run = create_run(tmp_path / "run", catalogue.recipe(TINY))
    for stage in (FEATURES, LAM):
        run.take(stage, watched.path)
    train_run(run, acted)
    assert load_stage(run, POLICY).facts.env == "point"
    make_agent(run)  # which refuses codes of any other latent actions


def test_a_folder_without_pictures_is_refused_with_what_it_has(tmp_path: Path, acted: EpisodeStore) -> None:
    store = EpisodeStore.create(tmp_path / "blind", DatasetInfo(("near",), ("phone",), 10.0))
    episode = acted[0]
    store.append(replace(episode, cameras={}, arrays={"success": np.zeros(episode.length, bool)}))
    with pytest.raises(DataError, match=r"no pictures. Wanted are rgb\.phone; there are success"):
        data_facts(store)
