"""How much closer an episode brought what the task moves."""

import numpy as np
import pytest

from kinesight.agents.episode import progress_metrics
from kinesight.types.observation import Scene

START, GOAL = np.array([0.1, 0.6, 0.2]), np.array([0.3, 0.6, 0.1])


def scene(target: np.ndarray) -> Scene:
    return Scene({"target": target, "goal": GOAL}, np.zeros(3))


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.25, 1.0])
def test_it_is_the_share_of_the_way_and_negative_the_other_way(share: float) -> None:
    moved = progress_metrics(scene(START), scene(START + share * (GOAL - START)))
    assert moved["progress"] == pytest.approx(share)


def test_along_a_circle_around_the_goal_there_is_none() -> None:
    away = START - GOAL
    assert progress_metrics(scene(START), scene(GOAL + away[[1, 2, 0]]))["progress"] == pytest.approx(0.0)


def test_without_a_way_there_is_no_number() -> None:
    nameless = Scene({"gripper": START}, np.zeros(3))
    assert progress_metrics(scene(GOAL), scene(START)) == {}
    assert progress_metrics(nameless, nameless) == {}
    assert progress_metrics(None, None) == {}
