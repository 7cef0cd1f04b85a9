"""The cameras that a policy looks by, acted by or beside the one acted by, are as they were in training."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import model_samples
import numpy as np
import point_mass
import pytest
from torch import nn

from kinesight.collection.collect import collect
from kinesight.data.facts import data_facts
from kinesight.experiments import fit
from kinesight.experiments.fit import check_fit
from kinesight.experiments.runs import Trained
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError, UsageError
from kinesight.types.facts import DataFacts

CASES = [point_mass.case(task=task) for task in point_mass.TASKS]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> DataFacts:
    """Of pictures by two cameras."""
    path = tmp_path_factory.mktemp("fit") / "data"
    config = replace(point_mass.CONFIG, episodes=1)
    return data_facts(collect(config, path, 1, "", point_mass.make_environment, point_mass.make_expert))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fit.envs, "make_case", point_mass.make_environment)
    yield
    fit._surroundings.cache_clear()


def turned(camera: Camera) -> Camera:
    T_world_camera = camera.T_world_camera.copy()
    T_world_camera[:3, 3] += 0.1
    return replace(camera, T_world_camera=T_world_camera)


def zoomed(camera: Camera) -> Camera:
    return replace(camera, K=camera.K * np.array([[1.5], [1.5], [1.0]]))


def trained(facts: DataFacts, second_view: str, **cameras: Camera) -> Trained:
    """A policy of data in which the task `far` was shown by other cameras."""
    known = MappingProxyType({**facts.calibration, **{f"far/{name}": c for name, c in cameras.items()}})
    seen = replace(facts, calibration=known)
    model: nn.Module = replace(model_samples.JOINT, second_view=second_view).build(seen)
    return Trained(model, seen, Path("policy"), "")


def test_a_second_view_is_held_against_the_one_trained_on(facts: DataFacts) -> None:
    side = facts.calibration["far/side"]
    check_fit(trained(facts, "side"), CASES)
    for other, message in (
        (turned(side), r"side of far was trained with T_world_camera = .*, the environment has"),
        (zoomed(side), "side of far was trained with K = "),
    ):
        with pytest.raises(DataError, match=rf"policy/config\.json: camera {message}"):
            check_fit(trained(facts, "side", side=other), CASES)
        check_fit(trained(facts, "", side=other), CASES)
    with pytest.raises(DataError, match="camera front of far"):
        check_fit(trained(facts, "side", front=turned(facts.calibration["far/front"])), CASES)


def test_of_cameras_that_stand_elsewhere_in_every_episode_the_lens_alone_is_compared(
    facts: DataFacts,
) -> None:
    moving, side = replace(facts, moving_cameras=True), facts.calibration["far/side"]
    check_fit(trained(moving, "side", side=turned(side)), CASES)
    with pytest.raises(DataError, match="side of far was trained with K = "):
        check_fit(trained(moving, "side", side=zoomed(side)), CASES)


def test_nobody_acts_by_the_second_view(facts: DataFacts) -> None:
    with pytest.raises(UsageError, match="'front' is the policy's second view"):
        check_fit(trained(facts, "front"), CASES)
