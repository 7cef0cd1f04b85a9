"""Planners and judges by name: what each may read, and how wrong names are answered."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kinesight.agents.spatial_policy import SpatialPolicyAgent, SpatialPolicyConfig
from kinesight.critics.video_judge import VideoJudgeConfig
from kinesight.experiments import catalogue, spatial_policy
from kinesight.experiments.evaluation import JUDGES, with_agent
from kinesight.experiments.planners import PLANNERS, make_planners, make_points
from kinesight.experiments.recipe import loop_settings, override
from kinesight.experiments.runs import Run
from kinesight.interfaces.stages import Planner, Planners, PointSource, PointSources
from kinesight.language.chat import ChatConfig
from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName, UsageError
from kinesight.types.facts import DataFacts

CASE = Case("metaworld", "door-open", 0, "corner")
PRIVILEGED = {
    "geometric": ("scene",),
    "pixels": (),
    "pixels-ids": ("segmentation",),
    "chat": ("scene",),
    "chat-pixels": (),
    "chat-by-eye": (),
}
ASKING = tuple(name for name in PRIVILEGED if name.startswith("chat"))
FACTS = DataFacts(
    env="metaworld",
    tasks=("handle-press",),
    cameras=("corner",),
    calibration={"handle-press/corner": Camera("corner", np.eye(3), np.eye(4), 32, 32)},
    crop=True,
    action=ActionSpec(("x", "y", "z", "g"), ("m", "m", "m", ""), (0.01, 0.01, 0.01, 1.0)),
    proprio_low=(-1.0,) * 8,
    proprio_high=(1.0,) * 8,
    words=("handle", "press"),
)
RUN = Run(Path("nowhere"), catalogue.recipe("spatial-policy-tiny"))


def test_every_planner_is_known():
    assert set(PLANNERS) == set(PRIVILEGED)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.extra) if n in ASKING else n for n in PRIVILEGED]
)
def test_a_planner_and_its_points_read_what_they_say(name: str):
    config = SpatialPolicyConfig(planner=name, chat=ChatConfig("toy"))
    planners, points = make_planners(config), make_points(config)
    assert isinstance(planners, Planners)
    assert planners.privileged == PRIVILEGED[name]
    planner = planners.for_case(CASE)
    assert isinstance(planner, Planner)
    assert planner.privileged == PRIVILEGED[name]
    assert set(planner.request.privileged) == set(PRIVILEGED[name])
    assert (points is None) == ("scene" in PRIVILEGED[name])
    if points is not None:
        assert isinstance(points, PointSources)
        source = points.for_case(CASE)
        assert isinstance(source, PointSource)
        assert not source.request.scene
        assert {*points.privileged, *source.privileged} <= {*planners.privileged}


@pytest.mark.parametrize(
    ("condition", "critic", "planned"),
    [
        ("text", None, False),
        ("distance", None, False),
        ("plan-global", None, True),
        ("plan-local", None, True),
        ("plan-path", None, True),
        ("text", VideoJudgeConfig(), True),
    ],
)
def test_where_nobody_reads_a_plan_there_is_no_planner(
    monkeypatch: pytest.MonkeyPatch, condition: str, critic: VideoJudgeConfig | None, planned: bool
):
    monkeypatch.setattr(
        spatial_policy,
        "load_stage",
        lambda run, name: SimpleNamespace(model=run.recipe.stage(name).model.build(FACTS)),
    )
    recipe = override(RUN.recipe, (f"stages.imaginer.model.condition={condition}",))
    recipe = replace(recipe, agent=replace(loop_settings(recipe), critic=critic))
    agent = spatial_policy.make_agent(replace(RUN, recipe=recipe))
    assert isinstance(agent, SpatialPolicyAgent)
    assert (agent.planners is not None) == planned
    assert agent.privileged == (("scene",) if planned or condition == "distance" else ())


@pytest.mark.parametrize("name", ASKING)
def test_a_planner_that_asks_needs_a_model(name: str):
    with pytest.raises(UsageError, match=f"'{name}' asks a model: name it with --chat-model"):
        make_planners(SpatialPolicyConfig(planner=name))


def test_a_run_is_given_another_planner_and_judge():
    run = with_agent(RUN, planner="pixels")
    assert loop_settings(run.recipe).planner == "pixels"
    assert run.recipe.stages == RUN.recipe.stages
    judged = with_agent(RUN, judge="chat", chat=ChatConfig("toy"))
    assert loop_settings(judged.recipe).critic is not None
    assert loop_settings(with_agent(judged, judge="none").recipe).critic is None
    assert set(JUDGES) == {"chat", "none"}
    with pytest.raises(UnknownName, match="Did you mean 'pixels'"):
        with_agent(RUN, planner="pixel")
    with pytest.raises(UnknownName, match=r"Unknown judge 'caht'.*Did you mean 'chat'"):
        with_agent(RUN, judge="caht")
    with pytest.raises(UsageError, match="name it with --chat-model"):
        with_agent(RUN, judge="chat")
