"""The loop of SSM-VLA: what it looks back at, when it decides, and what it shows of its foresight."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from kinesight.agents.ssm_vla import SsmVlaAgent, SsmVlaAgentConfig
from kinesight.agents.unspoken import Unspoken
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.stages import Foresight, Predictor
from kinesight.types.action import ActionChunk
from kinesight.types.arrays import Depth, Image, Video
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Comparison, Decision
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, View, ViewRequest
from kinesight.types.prediction import Prediction
from kinesight.types.video import ImaginedVideo

CASE = Case("point", "near", 3, "front")
CAMERA = Camera("front", np.eye(3), np.eye(4), 2, 2)


def picture(step: int) -> Image:
    """Its first row brightens too slowly to count as moving."""
    return np.full((2, 2, 3), np.array([[[2]], [[10]]]) * step, np.uint8)


def observation(step: int, request: ViewRequest) -> Observation:
    depth_m = np.full((2, 2), 1.0, np.float32) if request.depth else None
    views = {name: View(CAMERA, picture(step), depth_m) for name in request.cameras}
    return Observation(step, "go", views, np.zeros(8, np.float32))


class Model:
    """Remembers what it was asked; action (decision, place in the chunk)."""

    def __init__(
        self, offsets: tuple[int, ...] = (-4, 0), horizon: int = 3, ahead: int = 2, deep: bool = False
    ) -> None:
        self.draws_depth = deep
        self.offsets, self.horizon, self.ahead = offsets, horizon, ahead
        self.request = ViewRequest(("front", "side"))
        self.asked: list[tuple[list[int], list[bool]]] = []
        self.told: list[str] = []

    def view(self, camera: str) -> ViewRequest:
        return replace(self.request, cameras=(camera,))

    def predict(
        self, history: Sequence[Observation], valid: Sequence[bool], generator: torch.Generator
    ) -> Prediction:
        self.asked.append(([seen.step for seen in history], list(valid)))
        self.told.append(history[-1].instruction)
        chunk = np.array([[len(self.asked), place] for place in range(self.horizon)], np.float32)
        now = history[-1].views["front"].rgb
        assert now is not None
        video = ImaginedVideo(now, (now + 3)[None], None, "go") if self.ahead else None
        depth_m = np.full((2, 2), 0.5, np.float32) if self.draws_depth else None
        return Prediction(ActionChunk(chunk), video, depth_m, latents=np.array([[0], [7]]))


class Codes:
    """A clip's codes are its brightness; a drawn frame has the brightness of its code."""

    steps = (2, 4)
    depth = True

    def codes_of(self, clip: Video) -> np.ndarray:
        return clip[1:, 0, 0, :1].astype(np.int64)

    def draw(self, now: Image, depth_m: Depth | None, codes: np.ndarray) -> Video:
        assert depth_m is not None
        return np.stack([np.full_like(now, code[0]) for code in codes])


def run(agent: Agent, steps: int) -> tuple[list[Decision], list[ViewRequest]]:
    agent.reset(CASE)
    decisions, requests = [], []
    for step in range(steps):
        requests.append(agent.request())
        decisions.append(agent.act(observation(step, requests[-1])))
    return decisions, requests


def test_the_doubles_are_what_they_stand_for() -> None:
    assert isinstance(Model(), Predictor)
    assert isinstance(Codes(), Foresight)
    assert isinstance(SsmVlaAgent(SsmVlaAgentConfig(execute=2), Model()), Agent)


def test_it_asks_for_the_frames_that_it_was_trained_on() -> None:
    """The first frame stands in for those before it, and is marked."""
    model = Model(offsets=(-3, -1, 0))
    run(SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=0), model), 7)
    assert model.asked == [
        ([0, 0, 0], [False, False, True]),
        ([0, 1, 2], [False, True, True]),
        ([1, 3, 4], [True, True, True]),
        ([3, 5, 6], [True, True, True]),
    ]


def test_chunks_are_executed_in_order_and_cut_off() -> None:
    decisions, _ = run(SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=0), Model()), 5)
    actions = [tuple(decision.action.tolist()) for decision in decisions]
    assert actions == [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]
    assert ["act" in decision.timings_s for decision in decisions] == [True, False, True, False, True]


def test_it_looks_only_when_a_frame_will_be_used() -> None:
    _, requests = run(SsmVlaAgent(SsmVlaAgentConfig(execute=3, compare_every=0), Model((-6, 0))), 7)
    assert [bool(request.cameras) for request in requests] == [True, False, False] * 2 + [True]
    assert {request.cameras for request in requests} == {(), ("front",)}
    assert not any(request.depth for request in requests)


def test_what_was_foreseen_is_shown_beside_what_came() -> None:
    agent = SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=6), Model(), Codes())
    decisions, requests = run(agent, 12)
    events = [(step, event) for step, decision in enumerate(decisions) for event in decision.events]
    assert [(step, event.kind) for step, event in events] == [(4, "foresight"), (10, "foresight")]
    assert [step for step, request in enumerate(requests) if request.depth] == [0, 6]
    comparison = events[1][1].comparison
    assert isinstance(comparison, Comparison)
    assert comparison.steps == (6, 8, 10)
    brightness = {caption: row[:, 0, 0, 0].tolist() for caption, row in comparison.rows.items()}
    assert brightness == {
        "real": [12, 16, 20],
        "imagined": [12, 15],
        "true codes": [12, 16, 20],
        "predicted codes": [12, 0, 7],
        "difference": [0, 16, 13],
    }
    assert not [name for name in events[0][1].values if name.startswith("other")], "there was none before"
    values = events[1][1].values
    assert values == pytest.approx(
        {
            "present/2": 20 / 255,
            "imagined/2": 17 / 255,
            "true codes/2": 64 / 255,
            "predicted codes/2": 80 / 255,
            "present/4": 40 / 255,
            "true codes/4": 80 / 255,
            "predicted codes/4": 93 / 255,
            "other codes/2": 76 / 255,
            "other codes/4": 92 / 255,
            "codes right": 0,
            "other codes right": 0,
        }
    )


def test_codes_are_held_against_those_of_the_moment_before() -> None:
    class Slow(Codes):
        """Three key frames; the codes of the last two are always 7 and 9."""

        steps = (2, 4, 6)

        def codes_of(self, clip: Video) -> np.ndarray:
            return np.array([[clip[1, 0, 0, 0]], [7], [9]])

    class Sure(Model):
        def predict(self, *args: Any) -> Prediction:
            return replace(super().predict(*args), latents=np.array([[0], [7], [1]]))

    agent = SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=6), Sure(), Slow())
    decisions, _ = run(agent, 14)
    first, second = (event.values for decision in decisions for event in decision.events)
    assert first["codes right"] == second["codes right"] == pytest.approx(1 / 3)
    assert "other codes right" not in first
    assert second["other codes right"] == pytest.approx(2 / 3)


def test_foretold_depth_is_held_against_the_depth_that_came() -> None:
    agent = SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=6), Model(deep=True), Codes())
    decisions, requests = run(agent, 8)
    assert [step for step, request in enumerate(requests) if request.depth] == [0, 2, 6]
    (event,) = (event for decision in decisions for event in decision.events)
    assert event.values["depth_m/2"] == pytest.approx(0.5)
    assert event.values["depth_m present/2"] == 0
    assert event.comparison is not None
    shades = {
        name: row[:, 0, 0, 0].tolist() for name, row in event.comparison.rows.items() if "depth" in name
    }
    assert shades == {"real depth": [40, 40], "imagined depth": [40, 255]}


def test_an_imagined_frame_stands_under_the_frame_that_it_foretold() -> None:
    agent = SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=6), Model(ahead=4), Codes())
    decisions, _ = run(agent, 5)
    comparison = decisions[4].events[0].comparison
    assert comparison is not None
    assert comparison.rows["imagined"][:, 0, 0, 0].tolist() == [0, 0, 3]


def test_without_imagination_and_codes_nothing_is_shown() -> None:
    agent = SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=2), Model(ahead=0))
    decisions, _ = run(agent, 10)
    assert not any(decision.events for decision in decisions)


def test_an_episode_leaves_nothing_to_the_next() -> None:
    model = Model()
    agent = SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=6), model, Codes())
    first, _ = run(agent, 9)
    asked = list(model.asked)
    model.asked.clear()
    again, _ = run(agent, 9)
    assert model.asked == asked
    assert [d.action.tolist() for d in first] == [d.action.tolist() for d in again]


def test_it_remembers_no_more_than_it_needs() -> None:
    agent = SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=0), Model((-4, 0)))
    run(agent, 40)
    assert len(agent._seen) <= 3


def test_more_actions_than_there_are_cannot_be_executed() -> None:
    with pytest.raises(UsageError, match="execute is 5, but the model predicts 3 actions at once"):
        SsmVlaAgent(SsmVlaAgentConfig(execute=5), Model())
    with pytest.raises(UsageError, match="execute must be at least 1"):
        SsmVlaAgentConfig(execute=0)


def test_an_unspoken_agent_is_told_nothing() -> None:
    model = Model()
    agent = Unspoken(SsmVlaAgent(SsmVlaAgentConfig(execute=2, compare_every=0), model))
    decisions, _ = run(agent, 4)
    assert model.told == ["", ""]
    assert len(decisions) == 4
    assert agent.privileged == ()
