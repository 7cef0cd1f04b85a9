"""One small ground set, made once."""

import sys
from pathlib import Path

import pytest

from kinesight.collection.grounding.make import ground
from kinesight.data.ground_set import GroundItem, GroundSet

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def items(small: GroundSet) -> list[GroundItem]:
    """All its records with their frames, read once."""
    return list(small)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> GroundSet:
    from ground_samples import CONFIG

    return ground(CONFIG, tmp_path_factory.mktemp("ground") / "small")
