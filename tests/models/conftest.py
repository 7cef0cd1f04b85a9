"""A small recorded data set of the point mass, with plans and the number of every frame."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinesight.collection.collect import collect
from kinesight.data.derived import derive
from kinesight.data.episodes import EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.types.facts import DataFacts

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "collection"))
sys.path.insert(0, str(Path(__file__).parents[1] / "nn"))

import model_samples
import point_mass


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    config = replace(point_mass.CONFIG, segmentation=False)
    path = tmp_path_factory.mktemp("models") / "data"
    plain = collect(config, path, 1, "", point_mass.make_environment, point_mass.make_expert)
    assert len(plain) == 8
    assert np.ptp(plain[0].arrays["rgb.front"]) > 0
    return plain.with_derived(derive(plain, "plan", model_samples.numbered_plans))


@pytest.fixture(scope="session")
def facts(store: EpisodeStore) -> DataFacts:
    return data_facts(store)
