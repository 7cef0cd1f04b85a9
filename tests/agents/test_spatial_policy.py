"""The closed loop with stages that can be watched: when it plans, what it follows, what it asks to see."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinesight.agents.goal_free import GoalFree
from kinesight.agents.replanning import NR, Replanning
from kinesight.agents.spatial_policy import SpatialPolicyAgent, SpatialPolicyConfig, case_generator
from kinesight.critics.frame_matching import FrameMatchingConfig
from kinesight.critics.stuck import StuckConfig
from kinesight.interfaces.agent import Agent
from kinesight.types.action import ActionChunk
from kinesight.types.arrays import Image
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import DataError, UsageError
from kinesight.types.observation import Observation, View, ViewRequest
from kinesight.types.plan import Feedback, PlanRow, SpatialPlan
from kinesight.types.video import ImaginedVideo

CASE = Case("toy", "push", 3, "corner")
SIZE = 32
REQUEST = ViewRequest(("corner", "side"), SIZE, SIZE, crop=False)
FRAMES = 3


def picture(place: int) -> Image:
    """A bright square on a grey ground, further to the right for a higher place."""
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    image[10:20, 3 * place : 3 * place + 6] = 240
    return image


class Planner:
    request = ViewRequest(depth=True, scene=True)
    privileged = ("scene",)

    def __init__(self) -> None:
        self.feedback: list[Feedback | None] = []
        self.cases: list[Case] = []
        self.fails: dict[int, Exception] = {}
        """By number of the plan, from 0."""

    def for_case(self, case: Case) -> "Planner":
        self.cases.append(case)
        return self

    def plan(
        self, observation: Observation, instruction: str, feedback: Feedback | None = None
    ) -> SpatialPlan:
        self.feedback.append(feedback)
        if error := self.fails.get(len(self.feedback) - 1):
            raise error
        return SpatialPlan((PlanRow("move", (1, 0, 0), 0.07),))


class Imaginer:
    request = REQUEST
    privileged = ("expert",)

    def __init__(self) -> None:
        self.first: list[Image] = []

    def reset(self, case: Case) -> None:
        self.first.clear()

    def imagine(
        self, observation: Observation, plan: SpatialPlan | None, generator: torch.Generator
    ) -> ImaginedVideo:
        rgb = observation.views["corner"].rgb
        assert rgb is not None
        self.first.append(rgb)
        frames = np.stack([picture(place) for place in range(1, FRAMES + 1)])
        return ImaginedVideo(rgb, frames, plan, observation.instruction)


class Policy:
    """Its actions tell which chunk and which place in it they are from, and hold a random number."""

    request = REQUEST

    def __init__(self, horizon: int = 8) -> None:
        self.horizon = horizon
        self.steps: list[int] = []
        self.goals: list[Image | None] = []

    def act(self, observation: Observation, goal: Image | None, generator: torch.Generator) -> ActionChunk:
        assert "corner" in observation.views, "a policy must see"
        self.steps.append(observation.step)
        self.goals.append(goal)
        drawn = float(torch.rand((), generator=generator))
        return ActionChunk(np.array([[len(self.steps), i, drawn] for i in range(self.horizon)]) / 100)


class Loop:
    """Drives an agent as an episode would, with pictures and motion that the test chooses."""

    def __init__(self, policy_horizon: int = 8, **changes: object) -> None:
        self.planner, self.imaginer, self.policy = Planner(), Imaginer(), Policy(policy_horizon)
        calm = {
            "matching": FrameMatchingConfig(max_steps=100),
            "stuck": StuckConfig(window_steps=1000, most_forced=0),
        }
        config = SpatialPolicyConfig(**calm | changes)
        self.agent = SpatialPolicyAgent(config, self.planner, self.imaginer, self.policy)
        self.start(CASE)

    def start(self, case: Case) -> None:
        self.agent.reset(case)
        self.step, self.requests = 0, []

    def act(self, place: int = 0, x: float | None = None) -> Decision:
        request = self.agent.request()
        self.requests.append(request)
        camera = Camera("corner", np.eye(3), np.eye(4), SIZE, SIZE)
        views = {name: View(camera, rgb=picture(place)) for name in request.cameras}
        proprio = np.array([self.step / 10 if x is None else x, 0, 0, 0, 0, 0, 1, 0.5])
        decision = self.agent.act(Observation(self.step, "push it", views, proprio))
        self.step += 1
        return decision


def followed(met: int, given_up: int) -> tuple[str, str]:
    """What a planner is told of the plan before."""
    pictures = f"{met} of {FRAMES} pictures imagined for the plan before were reached, {given_up} given up"
    return "the plan before was: move 0.07 m", pictures


def kinds(decision: Decision) -> list[str]:
    return [event.kind for event in decision.events]


def test_it_plans_imagines_and_heads_for_the_first_goal_at_the_start() -> None:
    loop = Loop()
    decision = loop.act()
    assert isinstance(loop.agent, Agent)
    assert kinds(decision) == ["plan", "imagine"]
    assert decision.events[0].reason == "start: move 0.07 m"
    video = decision.events[1].video
    assert video is not None
    assert np.array_equal(loop.imaginer.first[0], picture(0))
    assert np.array_equal(loop.policy.goals[0], video.frames[0])
    assert loop.planner.feedback == [Feedback("start")]
    assert loop.planner.cases == [CASE]
    assert {"plan", "imagine", "act"} <= decision.timings_s.keys()
    assert all(seconds >= 0 for seconds in decision.timings_s.values())


def test_goals_are_followed_in_order_and_a_new_one_drops_the_rest_of_the_chunk() -> None:
    loop = Loop(execute=4)
    loop.act(0)
    loop.act(0)
    decision = loop.act(1)  # the first goal, in the middle of a chunk
    assert kinds(decision) == ["goal"]
    assert "matched" in decision.events[0].reason
    assert loop.policy.steps == [0, 2]
    assert np.array_equal(loop.policy.goals[1], picture(2))
    np.testing.assert_allclose(decision.action[:2], [0.02, 0.0])
    assert kinds(loop.act(2)) == ["goal"]
    assert np.array_equal(loop.policy.goals[2], picture(3))
    assert [d.reason for d in loop.planner.feedback if d] == ["start"]


def test_a_used_up_video_leads_to_a_new_plan_from_what_is_seen() -> None:
    loop = Loop()
    for place in (0, 1, 2):
        loop.act(place)
    decision = loop.act(3)
    assert kinds(decision) == ["goal", "plan", "imagine"]
    assert decision.events[1].reason.startswith("every imagined goal is over")
    assert np.array_equal(loop.imaginer.first[1], picture(3))
    assert np.array_equal(loop.policy.goals[-1], picture(1)), "the new video's first goal"


def test_a_planner_is_told_how_far_the_plan_before_was_followed() -> None:
    loop = Loop(matching=FrameMatchingConfig(max_steps=5))
    places = [0, 1, *[0] * 5, 3, 0, 1, 2, 3]  # the first goal, never the second, the third; then all three
    events = [event for place in places for event in loop.act(place).events]
    goals = [event.reason.split()[2] for event in events if event.kind == "goal"]
    assert goals == ["matched", "forced", "matched", "matched", "matched", "matched"]
    over = "every imagined goal is over"
    assert loop.planner.feedback == [
        Feedback("start"),
        Feedback(over, followed(2, 1)),
        Feedback(over, followed(3, 0)),
    ]


def test_without_a_first_plan_it_imagines_without_one() -> None:
    loop = Loop()
    loop.planner.fails = {0: DataError("the target is out of view")}
    decision = loop.act(0)
    assert kinds(decision) == ["fallback", "plan", "imagine"]
    assert decision.events[0].reason == "no plan instead: the target is out of view"
    assert decision.events[1].reason == "start: nothing left"
    video = decision.events[2].video
    assert video is not None
    assert video.plan == SpatialPlan(())
    assert np.array_equal(loop.policy.goals[0], video.frames[0]), "it acts all the same"


def test_without_a_later_plan_the_one_before_stands_in() -> None:
    loop = Loop()
    loop.planner.fails = {n: DataError("the target is out of view") for n in (1, 2)}
    first = loop.act(0).events[1].video
    assert first is not None
    for _ in range(2):
        for place in (1, 2):
            loop.act(place)
        decision = loop.act(3)
        assert kinds(decision) == ["goal", "fallback", "plan", "imagine"]
        assert decision.events[1].reason == "the plan before instead: the target is out of view"
        assert decision.events[2].reason == "every imagined goal is over: move 0.07 m"
        video = decision.events[3].video
        assert video is not None
        assert video.plan == first.plan
    assert len(loop.planner.feedback) == 3, "it goes on asking"


def test_a_wrong_set_up_is_no_scene_without_a_plan() -> None:
    loop = Loop()
    loop.planner.fails = {0: UsageError("no such camera")}
    with pytest.raises(UsageError, match="no such camera"):
        loop.act(0)


def test_a_goal_that_is_not_reached_is_given_up() -> None:
    loop = Loop(matching=FrameMatchingConfig(max_steps=5))
    events = [event for _ in range(6) for event in loop.act(0).events]
    assert [event.kind for event in events] == ["plan", "imagine", "goal"]
    assert events[-1].step == 5
    assert "forced after 5 steps" in events[-1].reason


def test_a_stuck_arm_leads_to_a_new_plan_with_the_reason() -> None:
    loop = Loop(stuck=StuckConfig(window_steps=4))
    decisions = [loop.act(0, x=0.0) for _ in range(12)]
    planned = [n for n, decision in enumerate(decisions) if "plan" in kinds(decision)]
    assert planned == [0, 5, 10], "the monitor begins anew after every plan"
    assert kinds(decisions[5]) == ["stuck", "plan", "imagine"]
    assert decisions[5].events[0].reason == "stuck: moved 0.0 mm in 4 steps"
    assert loop.planner.feedback[1] == Feedback("stuck: moved 0.0 mm in 4 steps", followed(0, 0))
    assert 5 in loop.policy.steps, "the chunk of the old plan is dropped"


def test_forced_goals_in_a_row_count_as_stuck() -> None:
    loop = Loop(
        matching=FrameMatchingConfig(max_steps=2), stuck=StuckConfig(window_steps=1000, most_forced=2)
    )
    events = [event for _ in range(5) for event in loop.act(0).events]
    assert [event.kind for event in events] == ["plan", "imagine", "goal", "goal", "stuck", "plan", "imagine"]


@pytest.mark.parametrize("most", [1, 2, 4])
def test_there_are_never_more_plans_than_allowed(most: int) -> None:
    loop = Loop(
        replanning=Replanning(max_plans=most),
        stuck=StuckConfig(window_steps=2),
        matching=FrameMatchingConfig(max_steps=3),
    )
    decisions = [loop.act(0, x=0.0) for _ in range(60)]
    counted = [kind for decision in decisions for kind in kinds(decision)]
    assert counted.count("plan") == counted.count("imagine") == most
    assert len(loop.planner.feedback) == len(loop.imaginer.first) == most
    assert np.array_equal(loop.policy.goals[-1], picture(FRAMES)), "it keeps to the last goal"
    assert decisions[-1].action.shape == (3,)


def test_every_event_has_its_step_and_reason() -> None:
    loop = Loop(stuck=StuckConfig(window_steps=3), matching=FrameMatchingConfig(max_steps=2))
    for step in range(20):
        for event in loop.act(0, x=0.0).events:
            assert event.step == step
            assert event.reason


def test_the_same_case_gives_the_same_actions_and_another_case_others() -> None:
    loop = Loop()

    def play(case: Case) -> np.ndarray:
        loop.start(case)
        loop.policy.steps.clear()
        return np.stack([loop.act(place % 4).action for place in range(12)])

    first = play(CASE)
    assert np.array_equal(first, play(CASE))
    assert np.array_equal(first, play(replace(CASE)))
    for other in (replace(CASE, seed=4), replace(CASE, task="pull"), replace(CASE, start="shifted")):
        assert not np.array_equal(first, play(other))


def test_it_looks_every_so_many_steps() -> None:
    loop = Loop(execute=6, look_every=3)
    for _ in range(12):
        loop.act(0)
    looked = [bool(request.cameras) for request in loop.requests]
    assert looked == [step % 3 == 0 for step in range(12)]
    assert loop.policy.steps == [0, 6]
    blind = loop.requests[1]
    assert (blind.scene, blind.depth, blind.segmentation) == (False, False, False)


def test_it_asks_for_the_policys_view_of_the_cases_camera_and_what_the_planner_needs() -> None:
    loop = Loop()
    expected = ViewRequest(("corner",), SIZE, SIZE, crop=False, depth=True, scene=True)
    assert loop.agent.request() == expected
    assert loop.agent.privileged == ("expert", "scene")


def test_a_planner_with_a_picture_of_its_own_gets_it_when_a_plan_is_due() -> None:
    loop = Loop(execute=6, look_every=3, stuck=StuckConfig(window_steps=4))
    loop.planner.request = replace(Planner.request, large_side=336)
    decisions = [loop.act(0, x=0.0) for _ in range(12)]
    noticed = [n for n, decision in enumerate(decisions) if "stuck" in kinds(decision)]
    planned = [n for n, decision in enumerate(decisions) if "plan" in kinds(decision)]
    assert planned == [0, *(n + 1 for n in noticed)]
    assert len(noticed) == 1
    assert [n for n, request in enumerate(loop.requests) if request.large_side] == planned
    assert {request.large_side for request in loop.requests} == {0, 336}
    assert all((r.height, r.width) == (SIZE, SIZE) for r in loop.requests if r.cameras)
    assert loop.planner.feedback[1] == Feedback(decisions[noticed[0]].events[0].reason, followed(0, 0))


def test_a_short_chunk_does_not_leave_the_policy_blind() -> None:
    """A policy that predicts fewer actions than are to be executed sees when they are used up."""
    loop = Loop(policy_horizon=3, execute=4, look_every=4)
    for _ in range(8):
        loop.act(0)
    assert loop.policy.steps == [0, 3, 6]


def test_execute_limits_the_chunk() -> None:
    loop = Loop(execute=3)
    actions = [loop.act(0).action[:2].tolist() for _ in range(7)]
    assert actions == [
        [n / 100, i / 100] for n, i in ((1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0))
    ]


def test_reset_forgets_the_last_episode() -> None:
    loop = Loop(replanning=NR)
    for place in (0, 1, 2):
        loop.act(place)
    loop.start(replace(CASE, seed=8))
    assert kinds(loop.act(0)) == ["plan", "imagine"]
    assert np.array_equal(loop.policy.goals[-1], picture(1))


def test_stages_that_see_other_pictures_are_refused() -> None:
    imaginer = Imaginer()
    imaginer.request = replace(REQUEST, height=64)
    with pytest.raises(
        UsageError, match=r"same height, width and crop.*\(64, 32, False\) and \(32, 32, False\)"
    ):
        SpatialPolicyAgent(SpatialPolicyConfig(), Planner(), imaginer, Policy())


@pytest.mark.parametrize("change", [{"execute": 0}, {"execute": 4, "look_every": 3}])
def test_settings_are_checked(change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="execute"):
        SpatialPolicyConfig(**change)


# Without goals


def test_goal_free_looks_when_it_needs_a_chunk_and_gives_no_goal() -> None:
    policy = Policy()
    agent = GoalFree(policy, execute=3)
    assert isinstance(agent, Agent)
    assert agent.privileged == ()
    played = []
    for _ in range(2):
        agent.reset(CASE)
        policy.steps.clear()
        actions = []
        for step in range(7):
            request = agent.request()
            assert bool(request.cameras) == (step % 3 == 0)
            if request.cameras:
                assert request == replace(REQUEST, cameras=("corner",))
            views = {
                name: View(Camera(name, np.eye(3), np.eye(4), SIZE, SIZE), picture(0))
                for name in request.cameras
            }
            decision = agent.act(Observation(step, "push it", views, np.zeros(8)))
            assert decision.events == ()
            actions.append(decision.action)
        assert policy.steps == [0, 3, 6]
        played.append(np.stack(actions))
    assert policy.goals == [None] * 6
    assert np.array_equal(*played)


def test_noise_follows_from_the_case_and_the_noise_seed() -> None:
    case, other = (Case("metaworld", "door-open", seed, "corner") for seed in (3, 4))

    def draws(case: Case, seed: int = 0) -> list[float]:
        return torch.rand(3, generator=case_generator(case, seed)).tolist()

    assert draws(case) == draws(case, 0)
    found = [draws(case, seed) for seed in range(6)] + [draws(other, seed) for seed in range(6)]
    assert len({tuple(each) for each in found}) == 12, "every case and every seed has draws of its own"
