"""One task's expert in the scene of the task that begins alike."""

from dataclasses import replace

import numpy as np
import pytest

from kinesight.agents.episode import run_episode
from kinesight.envs import catalogue
from kinesight.envs.counterpart import TURNS, counterpart_scene
from kinesight.envs.metaworld import MetaWorld, make_simulation, take_over
from kinesight.envs.metaworld_tables import COUNTERPARTS
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName
from kinesight.types.observation import ViewRequest


@pytest.mark.parametrize("task", ["faucet-open", "faucet-close"])
@pytest.mark.filterwarnings("ignore:Constant:UserWarning")
def test_it_turns_the_faucet_the_other_way(task: str) -> None:
    case = Case("metaworld", task, 3, "corner", "shifted")
    environment = catalogue.make_case(case, 110)
    own = run_episode(environment, catalogue.expert("metaworld", case))
    assert own.success
    assert own.metrics["progress"] > 0.3
    other = run_episode(environment, catalogue.counterpart_expert("metaworld", case))
    assert not other.success
    assert other.metrics["progress"] < -0.2


def test_a_task_without_one_is_named() -> None:
    with pytest.raises(UnknownName, match="counterpart in its scene 'door-open'"):
        catalogue.counterpart_expert("metaworld", Case("metaworld", "door-open", 0, "corner"))


def test_both_begin_alike() -> None:
    seen = []
    for task in ("faucet-open", "faucet-close"):
        environment = catalogue.make("metaworld", task, 0)
        environment.reset()
        seen.append(environment.observe(ViewRequest(scene=True)))
    hands = [observation.proprio[:3] for observation in seen]
    np.testing.assert_allclose(*hands, atol=1e-3)
    # The faucet stands elsewhere, within the same range; its handle has the same height.
    heights = [observation.scene.points["target"][2] for observation in seen]
    np.testing.assert_allclose(*heights, atol=1e-3)


@pytest.mark.parametrize("task", COUNTERPARTS)
@pytest.mark.filterwarnings("ignore:Constant:UserWarning")
def test_the_counterparts_points_are_those_of_its_own_simulation(task: str) -> None:
    """The lever is turned half-way, then the scene is handed to the counterpart's simulation."""
    case = Case("metaworld", task, 3, "corner", "shifted")
    environment = MetaWorld(case)
    expert = catalogue.expert("metaworld", case)
    environment.reset()
    for _ in range(45):
        environment.step(expert.act(environment.observe(expert.request())).action)
    scene = environment.observe(ViewRequest(scene=True)).scene
    assert scene is not None
    state = take_over(make_simulation(COUNTERPARTS[task], case.seed), environment.simulation)
    turned = counterpart_scene(task, scene)
    np.testing.assert_allclose(turned.points["target"], state[4:7], atol=5e-3)
    np.testing.assert_allclose(turned.points["goal"], state[36:39], atol=1e-6)
    np.testing.assert_array_equal(turned.points["gripper"], scene.points["gripper"])
    assert abs(turned.points["goal"][0] - scene.points["goal"][0]) > 0.3
    back = counterpart_scene(COUNTERPARTS[task], turned)
    for name in ("target", "goal"):
        np.testing.assert_allclose(back.points[name], scene.points[name], atol=1e-9)


def test_who_is_told_the_counterpart_sees_its_points_and_nobody_else() -> None:
    assert set(TURNS) == set(COUNTERPARTS)
    case = Case("metaworld", "faucet-open", 3, "corner")
    environment = catalogue.make_case(case)
    environment.reset()
    scene = environment.observe(ViewRequest(scene=True)).scene
    assert scene is not None
    told = catalogue.scene_told(case, replace(case, task="faucet-close"), scene)
    np.testing.assert_array_equal(told.points["goal"], counterpart_scene("faucet-open", scene).points["goal"])
    for task in ("faucet-open", "hammer"):
        assert catalogue.scene_told(case, replace(case, task=task), scene) is scene
