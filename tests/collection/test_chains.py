"""Demonstrations of chains: an episode for each task, without the ways home, completed when cut off."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinesight.agents.blind_replay import blind_replay
from kinesight.collection.collect import CollectionConfig, collect
from kinesight.collection.hindsight import with_hindsight_plans
from kinesight.collection.redraw import redrawn
from kinesight.data.episodes import EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.envs import catalogue
from kinesight.envs.metaworld_chains import chain_cases
from kinesight.envs.metaworld_tables import INSTRUCTIONS
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.observation import ViewRequest

CONFIG = CollectionConfig(
    env="metaworld-chains",
    tasks=("handle-side",),
    episodes=1,
    cameras=("corner",),
    height=8,
    width=8,
    rgb=False,
    split="ABC",
    limit=catalogue.limit("metaworld-chains"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    return collect(CONFIG, tmp_path_factory.mktemp("chains") / "d")


def test_every_task_is_an_episode_that_ends_with_its_success(whole: EpisodeStore):
    cases = chain_cases(
        Case("metaworld-chains", "handle-side", whole.meta(0).case.seed, "corner", split="ABC")
    )
    assert [whole.meta(i).case for i in range(len(whole))] == list(cases)
    for index, case in enumerate(cases):
        episode = whole[index]
        assert episode.instruction == INSTRUCTIONS[case.task]
        assert list(episode.arrays["success"]) == [False] * (episode.length - 1) + [True]
        assert len(episode.arrays["proprio"]) == episode.length + 1
        assert episode.text["chain"] == {"task": "handle-side", "episodes": 5}
        assert episode.text["steps"] == episode.length
        assert episode.text["events"][-1][0] == episode.length
        hand = episode.arrays["proprio"][:, :3]
        assert np.linalg.norm(np.diff(hand, axis=0), axis=1).max() < 0.03  # nothing jumps: no way home
    homes = np.array([whole[i].arrays["proprio"][0, :3] for i in range(len(whole))])
    np.testing.assert_allclose(homes, homes[:1].repeat(5, axis=0), atol=0.01)


def test_a_chain_that_was_cut_off_between_two_tasks_is_completed(whole: EpisodeStore, tmp_path: Path):
    shutil.copytree(whole.path, tmp_path / "d")
    for index in (3, 4):
        (tmp_path / "d" / "episodes" / f"{index:06d}.safetensors").unlink()
    collect(CONFIG, tmp_path / "d")
    files = sorted(path.relative_to(whole.path) for path in whole.path.rglob("[!.]*.*"))
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "d" / file).read_bytes() == (whole.path / file).read_bytes()


def test_what_learns_single_tasks_learns_from_chains(whole: EpisodeStore):
    facts = data_facts(with_hindsight_plans(whole))
    assert facts.env == "metaworld"
    assert facts.tasks == ("handle-press-side", "handle-pull-side")
    assert set(facts.calibration) == {"handle-press-side/corner", "handle-pull-side/corner"}
    agent = blind_replay(whole)
    for task in facts.tasks:
        agent.reset(Case("metaworld", task, 0, "corner"))


def test_bad_settings_are_refused_by_name(tmp_path: Path):
    with pytest.raises(UsageError, match="single tasks"):
        CollectionConfig("metaworld-chains", ("door",), 1, ("corner",), recovery=("push",))
    with pytest.raises(UnknownName, match="handle-side"):
        collect(CollectionConfig("metaworld-chains", ("dor",), 1, ("corner",)), tmp_path / "d")
    with pytest.raises(UnknownName, match="ABC"):
        collect(CollectionConfig("metaworld", ("door-open",), 1, ("corner",), split="E"), tmp_path / "e")


def test_a_recorded_episode_is_drawn_again_in_another_look(whole: EpisodeStore):
    first, second = whole[0], whole[1]
    request = ViewRequest(("corner",), 16, 16)
    frames = list(redrawn(first, request, "D"))
    assert [frame.step for frame in frames] == list(range(first.length + 1))
    other = next(redrawn(first, request, "train"))
    pictures = [seen.views["corner"].rgb for seen in (frames[0], other)]
    assert pictures[0] is not None
    assert pictures[1] is not None
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 8
    with pytest.raises(UsageError, match="own start"):
        next(redrawn(second, request, "D"))
    elsewhere = replace(first, case=replace(first.case, seed=first.case.seed + 1, start="shifted"))
    with pytest.raises(DataError, match="changes more than looks"):
        next(redrawn(elsewhere, request, "D"))
