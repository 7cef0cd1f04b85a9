"""Pictures of plans and imagined futures: whose plan it is, and what is asked to be seen for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.envs.metaworld import MetaWorld
from kinesight.experiments import catalogue, pictures, spatial_policy_pictures
from kinesight.experiments.pictures import imagined_against_expert, plan_picture
from kinesight.experiments.planners import make_planners
from kinesight.experiments.recipe import loop_settings
from kinesight.experiments.runs import Run
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.planning.geometric import GeometricPlanners
from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation, ViewRequest

CASE = Case("metaworld", "handle-press", 2000, "corner2")
SIZE = 96
VIDEO = VideoDiffusionConfig(frames=2, patch=8, base=8, multipliers=(1,), depth=1, features=16, steps=1)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[ViewRequest]:
    """Every look with a picture in it."""
    asked: list[ViewRequest] = []
    observe = MetaWorld.observe

    def listen(self: MetaWorld, request: ViewRequest, split: str | None = None) -> Observation:
        if request.cameras:
            asked.append(request)
        return observe(self, request, split)

    monkeypatch.setattr(MetaWorld, "observe", listen)
    return asked


def test_a_plan_from_pixels_is_drawn_without_the_simulators_poses(requests) -> None:
    told, _ = plan_picture(CASE, GeometricPlanners())
    seen, picture = plan_picture(CASE, make_planners(SpatialPolicyConfig(planner="pixels")))
    assert [(request.scene, request.depth) for request in requests] == [(True, False), (False, True)]
    assert picture.shape[1] == pictures.PLAN_SIZE
    assert [row.verb for row in seen.rows] == [row.verb for row in told.rows]
    for one, other in zip(seen.rows, told.rows, strict=True):
        assert one.distance_m == pytest.approx(other.distance_m, abs=0.02)
    assert seen != told


@pytest.mark.parametrize(
    ("planner", "condition"),
    [
        ("pixels", "distance"),
        ("pixels", "plan-path"),
        ("geometric", "plan-global"),
        ("geometric", "plan-path"),
    ],
)
def test_a_future_is_imagined_from_what_the_runs_agent_knows(
    planner: str, condition: str, requests, monkeypatch
) -> None:
    facts = DataFacts(
        env="metaworld",
        tasks=(CASE.task,),
        cameras=(CASE.camera,),
        calibration={f"{CASE.task}/{CASE.camera}": Camera(CASE.camera, np.eye(3), np.eye(4), SIZE, SIZE)},
        crop=True,
        action=ActionSpec(("x", "y", "z", "g"), ("m", "m", "m", ""), (0.01, 0.01, 0.01, 1.0)),
        proprio_low=(-1.0,) * 8,
        proprio_high=(1.0,) * 8,
        words=("handle", "press"),
    )
    model = replace(VIDEO, condition=condition).build(facts).eval()
    monkeypatch.setattr(spatial_policy_pictures, "load_imaginer", lambda run: model)
    monkeypatch.setattr(spatial_policy_pictures, "load_stage", lambda run, name: None)
    monkeypatch.setattr(spatial_policy_pictures, "check_fit", lambda stage, cases: None)
    recipe = catalogue.recipe("spatial-policy-tiny")
    recipe = replace(recipe, agent=replace(loop_settings(recipe), planner=planner))
    shown = imagined_against_expert(Run(Path("nowhere"), recipe), CASE)
    privileged = planner == "geometric"
    assert [(r.scene, r.depth) for r in requests[:2]] == [(privileged, not privileged), (False, False)]
    exact, _ = plan_picture(CASE, GeometricPlanners())
    assert (shown.plan == exact) == privileged
    assert [row.verb for row in shown.plan.rows] == [row.verb for row in exact.rows]
