"""An agent that is told another task: consistently, from the case alone, and nothing else is changed."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from kinesight.agents.misled import Misled
from kinesight.envs import catalogue
from kinesight.envs.metaworld_tables import CHAIN_FAMILIES, INSTRUCTIONS, SP11
from kinesight.experiments import instructions
from kinesight.experiments.instructions import another_instruction, either_instruction
from kinesight.planning.geometric import GeometricPlanner
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, ViewRequest

CASE = Case("metaworld", "door-open", 4, "corner", "shifted", "D", 2)


class Told:
    privileged = ("scene",)

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.read: list[Observation] = []

    def reset(self, case: Case) -> None:
        self.cases.append(case)

    def request(self) -> ViewRequest:
        return ViewRequest(height=7)

    def act(self, observation: Observation) -> Decision:
        self.read.append(observation)
        return Decision(np.full(4, 0.25, np.float32))


def test_the_agent_is_told_another_task_and_sees_what_there_is():
    inner = Told()
    agent = Misled(inner, lambda case: (replace(case, task="door-close"), "close it"))
    agent.reset(CASE)
    seen = Observation(5, "open it", {}, np.zeros(8, np.float32))
    decision = agent.act(seen)
    assert inner.cases == [replace(CASE, task="door-close")]
    assert inner.read[0].instruction == "close it"
    assert inner.read[0].step == 5
    assert inner.read[0].proprio is seen.proprio
    np.testing.assert_array_equal(decision.action, np.full(4, 0.25))
    assert agent.request() == ViewRequest(height=7)
    assert agent.privileged == ("scene",)


def test_the_plan_of_who_is_misled_leads_to_the_goal_that_it_is_told():
    """A planner that reads the scene would lead the lever to its true goal, whatever it is told."""
    case = Case("metaworld", "faucet-open", 3, "corner")
    environment = catalogue.make_case(case)
    environment.reset()
    inner = Told()
    tell = partial(another_instruction, ("faucet-open", "faucet-close"))
    agent = Misled(inner, tell, catalogue.scene_told)
    agent.reset(case)
    seen = environment.observe(ViewRequest(("corner",), 1, 1, rgb=False, scene=True))
    agent.act(seen)
    (told,) = inner.cases
    assert (told.task, inner.read[0].instruction) == ("faucet-close", INSTRUCTIONS["faucet-close"])
    planned = GeometricPlanner(told.task, "corner").plan(inner.read[0], "").rows[-1]
    true = GeometricPlanner("faucet-open", "corner").plan(seen, "").rows[-1]
    leaked = GeometricPlanner(told.task, "corner").plan(seen, "").rows[-1]
    assert planned.verb == true.verb == "rotate"
    assert planned.direction != true.direction
    assert leaked == true, "as it would be with the scene as it is"


def test_a_task_of_the_same_scene_goes_before_others():
    told, sentence = another_instruction(SP11, CASE)
    assert told == replace(CASE, task="door-close")
    assert sentence == INSTRUCTIONS["door-close"]
    drawer = replace(CASE, task="drawer-open", split="")
    assert another_instruction((*SP11, *CHAIN_FAMILIES["drawer"]), drawer)[0].task == "drawer-close"


def test_without_one_any_other_task_is_drawn_from_the_case(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instructions, "instruction_of", lambda case: case.task)
    tasks = ("hammer", "assembly", "basketball", "shelf-place")
    cases = [replace(CASE, task="hammer", seed=seed, split="") for seed in range(12)]
    told = [another_instruction(tasks, case)[0].task for case in cases]
    assert set(told) == set(tasks) - {"hammer"}
    assert told == [another_instruction(tasks, case)[0].task for case in cases]
    with pytest.raises(UsageError, match="needs another task than 'hammer'"):
        another_instruction(("hammer",), cases[0])


def test_either_task_by_the_toss_of_a_coin(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instructions, "instruction_of", lambda case: case.task)
    cases = [replace(CASE, seed=seed, split="") for seed in range(24)]
    told = [either_instruction(case)[0].task for case in cases]
    assert 5 < told.count("door-open") < 19
    assert set(told) == {"door-open", "door-close"}
    with pytest.raises(UsageError, match="shares the scene of 'hammer'"):
        either_instruction(replace(CASE, task="hammer"))
