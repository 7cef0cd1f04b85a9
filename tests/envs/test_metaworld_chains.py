"""Chains of Meta-World tasks: what is taken over, what begins anew, when a chain ends."""

import itertools

import numpy as np
import pytest

from kinesight.agents.episode import run_episode
from kinesight.envs import catalogue
from kinesight.envs.metaworld import ROBOT_QPOS, MetaWorld, make_simulation, take_over
from kinesight.envs.metaworld_chains import ChainExpert, MetaWorldChain, chain_cases
from kinesight.envs.metaworld_expert import ScriptedExpert
from kinesight.envs.metaworld_tables import (
    CHAIN_FAMILIES,
    CHAIN_LENGTH,
    CHAIN_TASK_LIMIT,
    INSTRUCTIONS,
    chain_limit,
)
from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import KinesightError, UnknownName, UsageError
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult


def case_of(family: str, seed: int = 0, start: str = "standard") -> Case:
    return Case("metaworld-chains", family, seed, "corner", start)


class Watched:
    """The expert, which notes what it is reset to and what it reads."""

    privileged = ("scene",)

    def __init__(self) -> None:
        self.expert = ScriptedExpert()
        self.told: list[tuple[Case, set[str]]] = []

    def reset(self, case: Case) -> None:
        self.told.append((case, set()))
        self.expert.reset(case)

    def request(self) -> ViewRequest:
        return self.expert.request()

    def act(self, observation: Observation) -> Decision:
        self.told[-1][1].add(observation.instruction)
        return self.expert.act(observation)


class Steps:
    """A subscriber that keeps every step, with the scene before it."""

    def start(self, case: Case, environment: Environment) -> None:
        self.environment = environment
        self.rows: list[tuple[Observation, Decision, StepResult]] = []
        self.seen = [environment.observe(ViewRequest(scene=True))]

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        self.rows.append((self.seen[-1], decision, result))
        self.seen.append(self.environment.observe(ViewRequest(scene=True)))

    def end(self, result: EpisodeResult) -> None:
        self.result = result


@pytest.fixture(scope="module")
def whole() -> tuple[Watched, Steps]:
    """The expert's chain of the drawer."""
    agent, steps = Watched(), Steps()
    run_episode(MetaWorldChain(case_of("drawer", 1)), agent, (steps,))
    return agent, steps


@pytest.mark.parametrize("family", CHAIN_FAMILIES)
def test_two_tasks_of_one_scene_take_turns_and_the_seed_draws_the_first(family: str):
    chains = [[case.task for case in chain_cases(case_of(family, seed))] for seed in range(40)]
    for tasks in chains:
        assert len(tasks) == CHAIN_LENGTH
        assert set(tasks) == set(CHAIN_FAMILIES[family])
        assert all(one != other for one, other in itertools.pairwise(tasks))
    first = [tasks[0] for tasks in chains]
    assert 8 < first.count(CHAIN_FAMILIES[family][0]) < 32
    places = [case.variation for case in chain_cases(case_of(family))]
    assert places == list(range(CHAIN_LENGTH))
    models = {make_simulation(task, 0).model_name for task in CHAIN_FAMILIES[family]}
    assert len(models) == 1


def test_the_first_task_is_the_episode_of_metaworld():
    chain = MetaWorldChain(case_of("handle", 3, "shifted"))
    chain.reset()
    alone = MetaWorld(chain_cases(chain.case)[0])
    alone.reset()
    for _ in range(3):
        one, other = (each.observe(ViewRequest(scene=True)) for each in (chain, alone))
        assert one.scene is not None
        assert other.scene is not None
        np.testing.assert_array_equal(one.scene.state, other.scene.state)
        assert one.instruction == other.instruction
        for each in (chain, alone):
            each.step(np.array([0.3, 0.2, -0.5, 1.0]))


@pytest.mark.parametrize("family", CHAIN_FAMILIES)
def test_a_switch_leaves_the_objects_and_takes_the_arm_home(family: str):
    first, second = CHAIN_FAMILIES[family]
    before = make_simulation(first, 5)
    before.reset()
    for action in np.random.default_rng(0).uniform(-1, 1, (8, 4)):
        before.step(action)
    after, home = make_simulation(second, 5), make_simulation(second, 5)
    home.reset()
    left = before.data.qpos.copy()
    take_over(after, before)
    np.testing.assert_array_equal(after.data.qpos[ROBOT_QPOS:], left[ROBOT_QPOS:])
    np.testing.assert_array_equal(before.data.qpos, left)
    assert not after.data.qvel.any()
    bodies = [after.model.body(body).name for body in range(after.model.nbody)]
    (fixture,) = {"drawer", "window", "door", "box"} & set(bodies)
    np.testing.assert_array_equal(after.data.body(fixture).xpos, before.data.body(fixture).xpos)
    np.testing.assert_allclose(after.data.qpos[:ROBOT_QPOS], home.data.qpos[:ROBOT_QPOS], atol=1e-3)


def test_the_expert_does_a_chain_and_every_switch_is_told(whole: tuple[Watched, Steps]):
    _, steps = whole
    tasks = [case.task for case in chain_cases(case_of("drawer", 1))]
    seen, results = steps.seen, [result for _, _, result in steps.rows]
    states = [result.chain for result in results if result.chain is not None]
    assert len(states) == len(results)
    assert results[-1].success
    assert not any(result.success for result in results[:-1])
    assert (states[-1].done, states[-1].length, states[-1].handing_over) == (5, 5, False)
    assert [event.kind for result in results for event in result.events] == ["task"] * 5
    assert [observation.step for observation in seen] == list(range(len(seen)))
    switches = [step for step, state in enumerate(states) if state.handing_over]
    assert len(switches) == CHAIN_LENGTH - 1
    for place, step in enumerate(switches):
        done, begun = seen[step + 1], seen[step + 2]
        assert done.instruction == INSTRUCTIONS[tasks[place]]  # still there to be looked at
        assert begun.instruction == INSTRUCTIONS[tasks[place + 1]]
        assert done.scene is not None
        assert begun.scene is not None
        assert abs(done.scene.points["target"][1] - begun.scene.points["target"][1]) < 0.02
        np.testing.assert_allclose(begun.proprio[:3], seen[0].proprio[:3], atol=0.01)


def test_any_agent_is_reset_to_each_task_and_reads_no_other_instruction(whole: tuple[Watched, Steps]):
    agent, steps = whole
    assert tuple(told for told, _ in agent.told) == chain_cases(case_of("drawer", 1))
    for told, read in agent.told:
        assert read == {INSTRUCTIONS[told.task]}
    assert steps.result.success
    assert steps.result.counts["tasks"] == 5
    assert (steps.result.metrics["tasks"], steps.result.metrics["tasks_done"]) == (5.0, 5.0)
    assert steps.result.metrics["path_m"] < 3.0  # the ways home are not the agent's


def replayed(steps: Steps) -> MetaWorldChain:
    """Another chain of the case after the same actions, one task far."""
    environment = MetaWorldChain(case_of("drawer", 1))
    environment.reset()
    for _, decision, expected in steps.rows:
        assert environment.step(decision.action) == expected
        if expected.chain is not None and expected.chain.handing_over:
            break
    return environment


def test_a_chain_is_a_function_of_its_case_beyond_the_switch(whole: tuple[Watched, Steps]):
    _, steps = whole
    environment = replayed(steps)
    for action in (np.zeros(4), np.ones(4)):  # at a switch the action makes no difference
        again = replayed(steps)
        again.step(action)
        scene = again.observe(ViewRequest(scene=True)).scene
        expected = steps.seen[environment.observe(ViewRequest()).step + 1].scene
        assert scene is not None
        assert expected is not None
        np.testing.assert_array_equal(scene.state, expected.state)


def test_a_task_that_is_solved_as_it_begins_ends_the_chain(whole: tuple[Watched, Steps]):
    environment = replayed(whole[1])
    following = chain_cases(environment.case)[1].task
    slid = 0.0 if following == "drawer-close" else -0.2
    environment.task.simulation.data.joint("goal_slidey").qpos[0] = slid  # behind the agent's back
    result = environment.step(np.zeros(4))
    assert [event.kind for event in result.events] == ["void"]
    assert result.truncated
    assert not result.success
    assert result.chain is not None
    assert result.chain.done == 1
    with pytest.raises(KinesightError, match="truncated"):
        environment.step(np.zeros(4))


def test_a_task_that_takes_too_long_ends_the_chain(monkeypatch: pytest.MonkeyPatch):
    assert CHAIN_TASK_LIMIT == 360
    monkeypatch.setattr("kinesight.envs.metaworld_chains.CHAIN_TASK_LIMIT", 3)
    environment = MetaWorldChain(case_of("window"))
    environment.reset()
    results = [environment.step(np.zeros(4)) for _ in range(3)]
    assert [result.truncated for result in results] == [False, False, True]
    assert [event.kind for event in results[-1].events] == ["timeout"]
    assert results[-1].chain is not None
    assert results[-1].chain.done == 0


def test_a_task_that_comes_again_is_shifted_by_another_action():
    """Otherwise a chain would meet the same two shifts over and over."""
    hands = []
    for place in (0, 2):
        task = MetaWorld(Case("metaworld", "drawer-open", 1, "corner", "shifted", variation=place))
        task.reset()
        hands.append(task.observe(ViewRequest()).proprio[:3])
    assert np.linalg.norm(hands[0] - hands[1]) > 0.02


def test_bad_input_is_answered_by_name():
    with pytest.raises(UnknownName, match="Did you mean 'drawer'"):
        catalogue.make("metaworld-chains", "drawr", 0)
    with pytest.raises(UnknownName, match="handle-side"):
        MetaWorldChain(case_of("faucet"))
    for length in (0, 6):
        with pytest.raises(UsageError, match=f"1 … 5 tasks, got {length}"):
            MetaWorldChain(case_of("door"), length=length)
    with pytest.raises(UsageError, match="at least 1, got 0"):
        catalogue.make("metaworld-chains", "door", 0, limit=0)
    with pytest.raises(UsageError, match="seed"):
        catalogue.make("metaworld-chains", "door", -1)
    assert chain_limit() == 5 * 360 + 4
    expert = ChainExpert()
    expert.reset(case_of("door"))
    with pytest.raises(UnknownName):
        expert.reset(case_of("no-such"))
