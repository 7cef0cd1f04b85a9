"""Dual-stage replanning with toy imaginers and scripted critics: which events follow which, and how many."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.agents.episode import count_events
from kinesight.agents.replanning import GR, GR_ER, NR, SETTINGS, Replanning
from kinesight.agents.spatial_policy import SpatialPolicyAgent, SpatialPolicyConfig
from kinesight.critics.frame_matching import FrameMatchingConfig
from kinesight.critics.stuck import StuckConfig
from kinesight.interfaces.stages import Critic
from kinesight.types.action import ActionChunk
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Event, Verdict
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, View, ViewRequest
from kinesight.types.plan import Feedback, PlanRow, SpatialPlan
from kinesight.types.serial import from_json, to_json
from kinesight.types.video import ImaginedVideo

CASE = Case("toy", "push", 3, "corner")
SIZE, FRAMES = 32, 2
REQUEST = ViewRequest(("corner",), SIZE, SIZE, crop=False)


class Planner:
    request = ViewRequest()
    privileged = ()

    def __init__(self) -> None:
        self.plans: list[SpatialPlan] = []

    def for_case(self, case: Case) -> "Planner":
        return self

    def plan(self, observation: Observation, instruction: str, feedback: Feedback | None = None):
        self.plans.append(SpatialPlan((PlanRow("move", (1, 0, 0), 0.1 + len(self.plans) / 10),)))
        return self.plans[-1]


class Imaginer:
    """Videos that hold their number in every pixel."""

    request = REQUEST
    privileged = ()

    def __init__(self) -> None:
        self.asked: list[SpatialPlan | None] = []

    def reset(self, case: Case) -> None: ...

    def imagine(self, observation: Observation, plan: SpatialPlan | None, generator: torch.Generator):
        self.asked.append(plan)
        first = observation.views["corner"].rgb
        assert first is not None
        frames = np.full((FRAMES, SIZE, SIZE, 3), 10 * len(self.asked), np.uint8)
        return ImaginedVideo(first, frames, plan, observation.instruction)


class Policy:
    request = REQUEST

    def __init__(self) -> None:
        self.goals: list[int] = []

    def act(self, observation: Observation, goal, generator: torch.Generator) -> ActionChunk:
        self.goals.append(int(goal[0, 0, 0]) // 10)
        return ActionChunk(np.zeros((4, 3)))


class Scripted:
    """Scores in the order given, over and over; accepted from one half on."""

    def __init__(self, scores: Sequence[float]) -> None:
        self.scores, self.judged = list(scores), 0

    def judge(self, video: ImaginedVideo, observation: Observation) -> Verdict:
        score = self.scores[self.judged % len(self.scores)]
        self.judged += 1
        return Verdict(score >= 0.5, f"number {self.judged}", score, {"plan": score, "arm": 1.0})


class Loop:
    def __init__(self, replanning: Replanning, scores: Sequence[float] | None) -> None:
        self.planner, self.imaginer, self.policy = Planner(), Imaginer(), Policy()
        self.critic = None if scores is None else Scripted(scores)
        config = SpatialPolicyConfig(
            replanning=replanning,
            matching=FrameMatchingConfig(max_steps=3),
            stuck=StuckConfig(window_steps=50, most_forced=0),
        )
        self.agent = SpatialPolicyAgent(config, self.planner, self.imaginer, self.policy, self.critic)
        self.agent.reset(CASE)

    def run(self, steps: int, moving: bool = True) -> list[Event]:
        events = []
        for step in range(steps):
            view = View(
                Camera("corner", np.eye(3), np.eye(4), SIZE, SIZE), np.zeros((SIZE, SIZE, 3), np.uint8)
            )
            proprio = np.array([step / 10 * moving, 0, 0, 0, 0, 0, 1, 0.5])
            decision = self.agent.act(Observation(step, "push it", {"corner": view}, proprio))
            events += decision.events
        return events


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.kind for event in events if event.kind != "goal"]


def test_the_papers_settings_by_name() -> None:
    assert list(SETTINGS) == ["NR", "GR", "GR&ER"]
    assert [(s.plans, s.videos) for s in SETTINGS.values()] == [(1, 1), (1, 2), (5, 2)]
    assert isinstance(Scripted([1]), Critic)


def test_without_replanning_one_video_is_followed_to_its_end_whatever_the_critic_thinks() -> None:
    loop = Loop(NR, [0.1])
    events = loop.run(40)
    assert kinds(events) == ["plan", "imagine", "judge"]
    assert events[2].values == {"score": 0.1, "plan": 0.1, "arm": 1.0}
    assert set(loop.policy.goals) == {1}
    assert count_events(events)["rejected"] == 0


def test_generation_replanning_imagines_again_under_the_same_plan() -> None:
    loop = Loop(GR, [0.2, 0.7])
    events = loop.run(40)
    assert kinds(events) == ["plan", "imagine", "reject", "imagine", "accept"]
    assert loop.imaginer.asked == [loop.planner.plans[0]] * 2
    assert set(loop.policy.goals) == {2}
    counts = count_events(events)
    assert {name: counts[name] for name in ("plans", "videos", "rejected")} == {
        "plans": 1,
        "videos": 2,
        "rejected": 1,
    }


def test_an_accepted_video_is_not_imagined_again() -> None:
    assert kinds(Loop(GR, [0.5, 0.9]).run(20)) == ["plan", "imagine", "accept"]


def test_the_best_of_the_rejected_is_kept() -> None:
    loop = Loop(GR, [0.4, 0.1])
    events = loop.run(20)
    assert kinds(events) == ["plan", "imagine", "reject", "imagine", "reject", "keep"]
    kept = next(event for event in events if event.kind == "keep")
    assert kept.reason == "video 1 of 2, none was accepted"
    assert kept.values["score"] == 0.4
    assert kept.video is not None
    assert kept.video is next(event for event in events if event.kind == "imagine").video
    assert set(loop.policy.goals) == {1}


def test_both_stages_plan_again_when_the_video_is_used_up() -> None:
    loop = Loop(GR_ER, [0.2, 0.7, 0.9])
    events = loop.run(11)
    assert kinds(events) == [
        *("plan", "imagine", "reject", "imagine", "accept"),
        *("plan", "imagine", "accept"),
    ]
    second = [event for event in events if event.kind == "plan"][1]
    assert second.reason.startswith("every imagined goal is over")
    assert loop.imaginer.asked == [loop.planner.plans[0]] * 2 + [loop.planner.plans[1]]


def test_both_stages_plan_again_when_the_arm_is_stuck() -> None:
    loop = Loop(GR_ER, [0.9])
    config = SpatialPolicyConfig(
        replanning=GR_ER, matching=FrameMatchingConfig(max_steps=90), stuck=StuckConfig(window_steps=5)
    )
    loop.agent = SpatialPolicyAgent(config, loop.planner, loop.imaginer, loop.policy, loop.critic)
    loop.agent.reset(CASE)
    assert kinds(loop.run(9, moving=False)) == [
        "plan",
        "imagine",
        "accept",
        "stuck",
        "plan",
        "imagine",
        "accept",
    ]


def test_without_a_critic_nothing_is_judged() -> None:
    events = Loop(GR_ER, None).run(15)
    assert set(kinds(events)) == {"plan", "imagine"}


@settings(deadline=None, max_examples=12)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_videos_and_plans_are_bounded(scores: list[float], videos: int, plans: int, execution: bool) -> None:
    """Imagining costs at most `max_videos` times what it must, and every followed video is judged once."""
    replanning = Replanning(execution=execution, max_videos=videos, max_plans=plans)
    events = Loop(replanning, scores).run(30)
    counts = count_events(events)
    assert counts["plans"] == (plans if execution else 1), "goals are forced, so every video is used up"
    assert counts["plans"] <= counts["videos"] <= videos * counts["plans"]
    followed = sum(counts.get(kind, 0) for kind in ("accept", "keep", "judge"))
    assert followed == counts["plans"]
    if videos > 1:
        assert counts["videos"] == counts["rejected"] + counts.get("accept", 0)


@pytest.mark.parametrize("change", [{"max_videos": 0}, {"max_plans": 0}])
def test_limits_are_checked(change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Replanning(**change)


def test_settings_survive_json() -> None:
    assert from_json(Replanning, to_json(GR)) == GR
    config = SpatialPolicyConfig(replanning=NR)
    assert from_json(SpatialPolicyConfig, to_json(config)) == config
