"""Stages that read the scene's points, given those that are found in pictures: nothing asks the simulator."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kinesight.agents.found_scene import found_scene
from kinesight.agents.goal_free import GoalFree
from kinesight.agents.spatial_policy import SpatialPolicyAgent, SpatialPolicyConfig
from kinesight.envs import catalogue as envs
from kinesight.experiments import avdc, catalogue, spatial_policy
from kinesight.experiments.planners import make_planners, make_points
from kinesight.experiments.recipe import loop_settings
from kinesight.experiments.runs import Run
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.environment import Environment
from kinesight.language.chat import ChatConfig
from kinesight.models.goal_policy import GoalPolicy, GoalPolicyConfig
from kinesight.models.video_diffusion import VideoDiffusion, VideoDiffusionConfig
from kinesight.planning.pixels import PixelPlanner, PixelPlanners
from kinesight.types.action import ActionChunk, ActionSpec
from kinesight.types.arrays import Image
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.facts import DataFacts
from kinesight.types.observation import Observation, Scene, ViewRequest
from kinesight.types.plan import SpatialPlan
from kinesight.types.video import ImaginedVideo

CAMERA, SIZE = "corner2", 96
TASKS = ("button-press", "shelf-place")
VIDEO = VideoDiffusionConfig(
    frames=2, patch=8, base=8, multipliers=(1,), depth=1, features=16, steps=1, condition="distance"
)


def facts() -> DataFacts:
    return DataFacts(
        env="metaworld",
        tasks=TASKS,
        cameras=(CAMERA,),
        calibration={f"{task}/{CAMERA}": Camera(CAMERA, np.eye(3), np.eye(4), SIZE, SIZE) for task in TASKS},
        crop=True,
        action=ActionSpec(("x", "y", "z", "g"), ("m", "m", "m", ""), (0.01, 0.01, 0.01, 1.0)),
        proprio_low=(-1.0,) * 8,
        proprio_high=(1.0,) * 8,
        words=("button", "press"),
    )


def model() -> VideoDiffusion:
    """Untrained; what it is told does not depend on its weights."""
    torch.manual_seed(0)
    return VIDEO.build(facts()).eval()


def model_policy() -> GoalPolicy:
    """Untrained; it wants the target's coordinates."""
    return GoalPolicyConfig(features=32, widths=(16, 32), steps=2, points=("target",)).build(facts()).eval()


class Listening:
    """An imaginer that keeps the coordinates which the network is told."""

    def __init__(self) -> None:
        self.model = model()
        self.told: list[np.ndarray] = []

    @property
    def request(self) -> ViewRequest:
        return self.model.request

    @property
    def privileged(self) -> tuple[str, ...]:
        return self.model.privileged

    def reset(self, case: Case) -> None:
        self.told.clear()

    def imagine(
        self, observation: Observation, plan: SpatialPlan | None, generator: torch.Generator
    ) -> ImaginedVideo:
        self.told.append(self.coordinates(observation))
        return self.model.imagine(observation, plan, generator)

    def coordinates(self, observation: Observation) -> np.ndarray:
        return self.model.batch_from(observation, None).spatial[0][0].numpy()


class Still:
    """A policy that stays; with `scene` it wants the points, too, and keeps what it is given."""

    def __init__(self, scene: bool = False) -> None:
        self.request = ViewRequest((CAMERA,), SIZE, SIZE, scene=scene)
        self.seen: list[Observation] = []

    def act(self, observation: Observation, goal: Image | None, generator: torch.Generator) -> ActionChunk:
        self.seen.append(observation)
        return ActionChunk(np.zeros((4, 4)))


def agent(planner: str, policy: Still | None = None, plans: bool = True) -> SpatialPolicyAgent:
    config = SpatialPolicyConfig(planner=planner)
    planners = make_planners(config) if plans else None
    return SpatialPolicyAgent(config, planners, Listening(), policy or Still(), points=make_points(config))


def started(task: str) -> Environment:
    environment = envs.make("metaworld", task, 2100, camera=CAMERA)
    environment.reset()
    return environment


def first_step(actor: Agent, environment: Environment, **changes) -> Decision:
    """The first decision, on what the agent asks for; `changes` replace parts of the view."""
    actor.reset(environment.case)
    asked = actor.request()
    seen = environment.observe(asked)
    assert (seen.scene is None) == (not asked.scene)
    views = {name: replace(view, **changes) for name, view in seen.views.items()}
    return actor.act(replace(seen, views=views))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("planner", "masks"), [("pixels", False), ("pixels-ids", True)])
def test_the_distance_condition_is_measured_and_close_to_the_privileged_one(task, planner, masks):
    environment, actor = started(task), agent(planner)
    decision = first_step(actor, environment)
    request = actor.request()
    assert (request.scene, request.depth, request.segmentation) == (False, True, masks)
    assert actor.privileged == (("segmentation",) if masks else ())
    assert [event.kind for event in decision.events] == ["plan", "imagine"]

    imaginer = actor.imaginer
    assert isinstance(imaginer, Listening)
    privileged = imaginer.coordinates(
        environment.observe(ViewRequest((CAMERA,), SIZE, SIZE, scene=True)),
    )
    (measured,) = imaginer.told
    assert measured.shape == (9,)
    assert np.abs(privileged).max() > 0.3, "metres before the camera"
    np.testing.assert_allclose(measured, privileged, atol=0.02)
    assert not np.array_equal(measured, privileged)


def test_with_the_simulators_planner_the_scene_is_asked_for_and_read():
    environment, actor = started(TASKS[0]), agent("geometric")
    assert actor.privileged == ("scene",)
    first_step(actor, environment)
    assert isinstance(actor.imaginer, Listening)
    seen = environment.observe(ViewRequest((CAMERA,), SIZE, SIZE, scene=True))
    np.testing.assert_array_equal(actor.imaginer.told[0], actor.imaginer.coordinates(seen))


def test_no_plan_is_needed_to_measure():
    environment, actor = started(TASKS[0]), agent("pixels", plans=False)
    decision = first_step(actor, environment)
    assert actor.privileged == ()
    assert decision.events[0].reason == "start: no plan, none is read"
    assert decision.events[1].video is not None
    assert decision.events[1].video.plan is None
    assert len(actor.imaginer.told) == 1  # type: ignore[attr-defined]


@pytest.mark.extra
@pytest.mark.parametrize("planner", ["pixels", "chat-pixels", "chat-by-eye"])
def test_all_that_need_points_ask_one_source_an_episode(planner, monkeypatch):
    made: list[PixelPlanner] = []

    def counted(self: PixelPlanners, case: Case) -> PixelPlanner:
        made.append(PixelPlanner(case.task, case.camera, self.segmenter))
        return made[-1]

    monkeypatch.setattr(PixelPlanners, "for_case", counted)
    config = SpatialPolicyConfig(planner=planner, chat=ChatConfig("toy", cache_only=True))
    actor = SpatialPolicyAgent(
        config, make_planners(config), Listening(), Still(scene=True), points=make_points(config)
    )
    for episodes in (1, 2):
        actor.reset(Case("metaworld", TASKS[0], 2100, CAMERA))
        assert len(made) == episodes


def test_a_policy_that_wants_the_object_is_given_what_was_found():
    policy = Still(scene=True)
    environment, actor = started(TASKS[1]), agent("pixels", policy)
    first_step(actor, environment)
    assert actor.privileged == ()
    (seen,) = policy.seen
    truth = environment.observe(ViewRequest(scene=True)).scene
    assert seen.scene is not None
    assert truth is not None
    np.testing.assert_allclose(seen.scene.points["target"], truth.points["target"], atol=0.02)
    assert len(seen.scene.state) == 0


@pytest.mark.parametrize(("planner", "privileged"), [("pixels", ()), ("geometric", ("scene",))])
def test_the_control_without_goals_is_given_the_agents_points(planner, privileged, monkeypatch):
    """As the row of a run whose policy wants the object's coordinates."""
    policy = model_policy()
    monkeypatch.setattr(spatial_policy, "load_stage", lambda run, name: SimpleNamespace(model=policy))
    recipe = catalogue.recipe("spatial-policy-tiny")
    recipe = replace(recipe, agent=replace(loop_settings(recipe), planner=planner))
    control = spatial_policy.make_agent(Run(Path("nowhere"), recipe), "none")
    assert isinstance(control, GoalFree)
    assert control.privileged == privileged
    given: list[Scene | None] = []
    act = policy.act

    def listen(observation: Observation, *others) -> ActionChunk:
        given.append(observation.scene)
        return act(observation, *others)

    monkeypatch.setattr(policy, "act", listen)
    environment = started(TASKS[1])
    first_step(control, environment)
    (scene,), truth = given, environment.observe(ViewRequest(scene=True)).scene
    assert scene is not None
    assert truth is not None
    np.testing.assert_allclose(scene.points["target"], truth.points["target"], atol=0.02)
    assert (len(scene.state) == 0) == (planner == "pixels")


@pytest.mark.parametrize("planner", ["geometric", "pixels"])
def test_avdc_tells_its_imaginer_the_points_that_it_asks_for(planner, monkeypatch):
    """As the row of a run whose imaginer is told distances."""
    imaginer = Listening()
    monkeypatch.setattr(avdc, "load_imaginer", lambda run: imaginer)
    recipe = catalogue.recipe("spatial-policy-tiny")
    data = replace(recipe.data, height=SIZE, width=SIZE)
    recipe = replace(recipe, data=data, agent=replace(loop_settings(recipe), planner=planner))
    follower = avdc.make_avdc(Run(Path("nowhere"), recipe), replan=False)
    told = () if planner == "pixels" else ("scene",)
    assert follower.privileged == (*told, "segmentation")
    environment = started(TASKS[0])
    decision = first_step(follower, environment)
    assert decision.events[0].kind == "imagine"
    seen = environment.observe(ViewRequest((CAMERA,), SIZE, SIZE, scene=True))
    np.testing.assert_allclose(imaginer.told[0], imaginer.coordinates(seen), atol=0.02)
    assert np.array_equal(imaginer.told[0], imaginer.coordinates(seen)) == (planner == "geometric")


def test_what_cannot_be_seen_is_an_event_and_the_agent_goes_on():
    environment, actor = started(TASKS[0]), agent("pixels")
    blind = np.zeros((SIZE, SIZE), np.float32)
    decision = first_step(actor, environment, depth_m=blind)
    plan, _, points, _ = decision.events
    assert [event.kind for event in decision.events] == ["fallback", "plan", "fallback", "imagine"]
    assert "cannot be seen from 'corner2'" in plan.reason
    assert points.reason == (
        "the target cannot be seen and is taken to be at the gripper; "
        "the goal cannot be seen and is taken to be at the target"
    )
    (told,) = actor.imaginer.told  # type: ignore[attr-defined]
    assert np.isfinite(told).all()
    np.testing.assert_allclose(told[3:], 0, atol=1e-6)
    assert np.abs(told[:3]).max() > 0.3, "the gripper is felt"


def test_a_hidden_point_stands_where_the_one_before_it_does():
    gripper, target = np.array([0.0, 0.5, 0.2]), np.array([0.1, 0.6, 0.1])
    scene, notes = found_scene({"gripper": gripper, "target": target, "goal": np.ones(3)})
    assert (set(scene.points), notes) == ({"gripper", "target", "goal"}, ())
    scene, (note,) = found_scene({"gripper": gripper, "target": target})
    np.testing.assert_array_equal(scene.points["goal"], target)
    assert note.reason == "the goal cannot be seen and is taken to be at the target"
    scene, (note,) = found_scene({"gripper": gripper, "goal": np.ones(3)})
    np.testing.assert_array_equal(scene.points["target"], gripper)
    assert "goal" not in note.reason
