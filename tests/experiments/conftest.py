"""The point mass's data set and the small models of the model tests."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.collection.collect import collect
from kinesight.data.derived import derive
from kinesight.data.episodes import EpisodeStore

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "collection"))
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

import model_samples
import point_mass


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    config = replace(point_mass.CONFIG, depth=False, segmentation=False, episodes=2, cameras=("front",))
    path = tmp_path_factory.mktemp("experiments") / "data"
    plain = collect(config, path, 1, "", point_mass.make_environment, point_mass.make_expert)
    return plain.with_derived(derive(plain, "plan", model_samples.numbered_plans))
