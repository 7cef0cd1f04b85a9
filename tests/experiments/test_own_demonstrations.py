"""Demonstrations of a robot that no simulator knows: pictures, actions, proprioception, a camera."""

from dataclasses import replace
from pathlib import Path

import point_mass
import pytest

from kinesight.cli.train import train
from kinesight.collection.collect import collect
from kinesight.data.episodes import EpisodeStore
from kinesight.experiments.runs import load_stage, open_run
from kinesight.types.errors import UsageError

TINY = "spatial-policy-tiny"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """Of a task that has no plan and no scene points."""
    folder = tmp_path_factory.mktemp("own")
    config = replace(point_mass.CONFIG, height=32, width=32, cameras=("front",), scene=False)
    seen = collect(config, folder / "seen", 1, "", point_mass.make_environment, point_mass.make_expert)
    own = EpisodeStore.create(folder / "own", replace(seen.info, tasks=("pour",), collector={}))
    for episode in seen:
        arrays = {key: rows for key, rows in episode.arrays.items() if not key.startswith("scene")}
        own.append(replace(episode, case=replace(episode.case, env="mine", task="pour"), arrays=arrays))
    return own


def test_a_variant_without_plans_is_trained_on_them(own: EpisodeStore, tmp_path: Path) -> None:
    assert not [key for key in own[0].arrays if key.startswith(("scene", "plan"))]
    changes = ("stages.imaginer.model.condition=text",)
    train(TINY, data=str(own.path), out=tmp_path / "run", overrides=(changes,))
    run = open_run(tmp_path / "run")
    assert load_stage(run, "imaginer").facts.env == "mine"
    assert load_stage(run, "policy").facts.action == own.info.action


def test_one_that_reads_plans_says_what_they_are_made_of(own: EpisodeStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"key of the data set 'scene\.gripper'\. Available: .*proprio"):
        train(TINY, data=str(own.path), out=tmp_path / "run")
