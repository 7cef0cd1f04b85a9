"""Motions by environment, and the table-top's plans on its expert's episodes."""

import numpy as np
import pytest

from kinesight.envs.catalogue import make_case, tasks
from kinesight.envs.tabletop_expert import TableTopExpert
from kinesight.language.plan_text import direction_signs, encode_plan
from kinesight.planning.geometric import GeometricPlanner, GeometricPlanners
from kinesight.planning.hindsight import hindsight_plans
from kinesight.planning.motions import MOTIONS, motion_of
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.plan import PAD_VERB

REQUEST = ViewRequest(("front",), height=1, width=1, rgb=False, scene=True)


def played(case: Case) -> list[Observation]:
    """What is seen of the expert's episode, up to its success."""
    environment, agent = make_case(case, 200), TableTopExpert()
    agent.reset(case)
    result = environment.reset()
    seen = [environment.observe(REQUEST)]
    while not result.success:
        result = environment.step(agent.act(seen[-1]).action)
        seen.append(environment.observe(REQUEST))
    return seen


def test_a_motion_belongs_to_a_task_of_its_environment():
    for env, motions in MOTIONS.items():
        assert set(motions) <= set(tasks(env))
    assert motion_of("task", "pick-place") != motion_of("task", "pick-place", "tabletop")
    with pytest.raises(UnknownName, match=r"Unknown task of the plan 'press-sum'.*Available: pick-attribute"):
        motion_of("task of the plan", "press-sum", "tabletop")
    with pytest.raises(UnknownName, match="task of the geometric planner 'door-open'"):
        GeometricPlanner("door-open", "front", env="tabletop")


@pytest.mark.parametrize("task", MOTIONS["tabletop"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.sweep)])
def test_plans_agree_on_the_experts_episodes(task: str, seed: int):
    case = Case("tabletop", task, seed, "front")
    seen = played(case)
    planner = GeometricPlanners().for_case(case)
    theirs = [encode_plan(planner.plan(each, each.instruction)) for each in seen]
    points = {
        name: np.stack([each.scene.points[name] for each in seen])  # type: ignore[union-attr]
        for name in ("gripper", "target", "goal")
    }
    opening = np.array([each.proprio[7] for each in seen])
    camera = seen[0].views["front"].camera
    ours = hindsight_plans(
        task, points["gripper"], opening, points["target"], points["goal"][0], camera, env="tabletop"
    )
    same = [bool((plan.verbs == ours[0][t]).all()) for t, plan in enumerate(theirs)]
    assert np.mean(same) > 0.85
    assert same[0]
    assert [row.verb for row in planner.plan(seen[0], "").rows] == ["move", "grasp", "move"]
    assert not planner.plan(seen[-1], "").rows, "nothing is left of a task that is done"
    for t, plan in enumerate(theirs):
        for row in range(int((plan.verbs != PAD_VERB).sum()) if same[t] else 0):
            signs = direction_signs(int(ours[1][t, row])), direction_signs(int(plan.directions[row]))
            assert (np.prod(signs, axis=0) >= 0).all(), "no sign is the other's opposite"
            assert abs(ours[2][t, row] - plan.distances_m[row]) < 0.03
