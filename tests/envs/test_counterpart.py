"""One task's expert in the scene of the task that begins alike."""

import numpy as np
import pytest

from kinesight.agents.episode import run_episode
from kinesight.envs import catalogue
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
