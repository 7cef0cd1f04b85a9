"""Random episodes and a way for worker processes to import what the tests define."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kinesight.data.episodes import DatasetInfo, EpisodeStore

sys.path.insert(0, str(Path(__file__).parent))

import data_samples


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> EpisodeStore:
    """Six episodes of two tasks and two cameras; every pixel tells its camera, episode and frame."""
    store = EpisodeStore.create(
        tmp_path_factory.mktemp("data") / "store", DatasetInfo(("a", "b"), ("l", "r"), 80.0)
    )
    for index, length in enumerate((5, 9, 1, 18, 12, 3)):
        store.append(data_samples.episode(length, index, np.random.default_rng(index)))
    return store
