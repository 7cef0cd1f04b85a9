"""The mean of demonstrations of unequal length, and its replay without a look."""

from pathlib import Path

import numpy as np
import pytest

from kinesight.agents.blind_replay import BlindReplay, blind_replay, mean_actions
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UnknownName
from kinesight.types.observation import Observation

CASE = Case("toy", "push", 0, "corner", start="shifted")
UNSEEN = Observation(0, "push it", {}, np.zeros(8))


def test_mean_is_over_those_that_still_run() -> None:
    short = np.array([[1.0, 0.0], [1.0, 0.0]])
    long = np.array([[0.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    expected = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(mean_actions([short, long]), expected)


def test_mean_of_copies_is_the_demonstration_and_order_does_not_matter() -> None:
    demonstrations = [np.random.default_rng(n).uniform(-1, 1, (n, 4)) for n in (3, 7, 5)]
    np.testing.assert_allclose(mean_actions(demonstrations[:1] * 3), demonstrations[0], atol=1e-7)
    np.testing.assert_allclose(mean_actions(demonstrations), mean_actions(demonstrations[::-1]), atol=1e-7)
    assert np.abs(mean_actions(demonstrations)).max() <= 1


def test_replay_repeats_its_last_action_and_starts_again_after_reset() -> None:
    agent = BlindReplay({"push": np.array([[0.1], [0.2]])})
    for _ in range(2):
        agent.reset(CASE)
        played = [float(agent.act(UNSEEN).action[0]) for _ in range(4)]
        assert played == pytest.approx([0.1, 0.2, 0.2, 0.2])


def test_asks_for_no_camera_and_nothing_privileged() -> None:
    agent = BlindReplay({"push": np.zeros((1, 1))})
    request = agent.request()
    assert not request.cameras
    assert not request.scene
    assert agent.privileged == ()


def test_unknown_task_and_missing_demonstrations_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"'push'.*Available: pull"):
        BlindReplay({"pull": np.zeros((1, 1))}).reset(CASE)
    with pytest.raises(DataError, match="no empty one"):
        mean_actions([])
    store = EpisodeStore.create(tmp_path, DatasetInfo(("push",), ("corner",), 10.0))
    with pytest.raises(DataError, match="no demonstrations"):
        blind_replay(store)


def test_from_a_store_tasks_stay_apart(tmp_path: Path) -> None:
    store = EpisodeStore.create(tmp_path, DatasetInfo(("push", "pull"), ("corner",), 10.0))
    for seed, (task, value, length) in enumerate((("push", 0.2, 2), ("push", 0.4, 3), ("pull", -1.0, 1))):
        arrays = {"action": np.full((length, 2), value, np.float32)}
        store.append(Episode(seed, Case("toy", task, seed, "corner"), task, length, arrays=arrays))
    agent = blind_replay(store)
    agent.reset(CASE)
    played = [agent.act(UNSEEN).action for _ in range(4)]
    np.testing.assert_allclose(np.stack(played)[:, 0], [0.3, 0.3, 0.4, 0.4], atol=1e-6)
