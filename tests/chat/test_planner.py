"""The planner against a real server: whose plan it is, what was shown, and what the notes tell."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from chat_server import PLAN, breaks_off, fails, hangs, says, sends

from kinesight.agents.spatial_policy import SpatialPolicyAgent, SpatialPolicyConfig
from kinesight.envs.catalogue import make
from kinesight.experiments.planners import make_planners
from kinesight.interfaces.stages import Planner, Planners
from kinesight.language.chat import ChatConfig
from kinesight.language.chat_errors import KeyMissing
from kinesight.language.consult import chat_totals
from kinesight.language.plan_text import parse_plan
from kinesight.planning.chat import ChatPlanner, ChatPlannerConfig, ChatPlanners
from kinesight.planning.offsets import (
    OffsetSource,
    PointOffsets,
    PointOffsetSources,
    SceneOffsets,
    SceneOffsetSources,
)
from kinesight.types.action import ActionChunk
from kinesight.types.arrays import Image
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import DataError, UsageError
from kinesight.types.note import Note
from kinesight.types.observation import Observation, Scene, View, ViewRequest
from kinesight.types.plan import Feedback, NoPlan, PlanRow, SpatialPlan
from kinesight.types.serial import from_json, to_json
from kinesight.types.video import ImaginedVideo

pytestmark = pytest.mark.extra
OWN = SpatialPlan((PlanRow("push", (0, 0, -1), 0.3),), notes=(Note("own", "measured"),))
CASE = Case("toy", "push", 3, "corner")
UNKNOWN_VERB = "Plan:\n1. teleport [1, 0, 0] [0.10]"


class Fallback:
    """Plans as `OWN`; needs the scene and another camera."""

    request = ViewRequest(("side",), 1, 1, rgb=False, depth=True, scene=True)
    privileged = ("scene",)

    def __init__(self) -> None:
        self.asked: list[tuple[str, Feedback | None]] = []

    def for_case(self, case: Case) -> Planner:
        return self

    def plan(
        self, observation: Observation, instruction: str, feedback: Feedback | None = None
    ) -> SpatialPlan:
        self.asked.append((instruction, feedback))
        return OWN


class BlindOffsets:
    """A source whose measurement fails, as one from pictures may."""

    request = ViewRequest(segmentation=True)
    privileged = ("segmentation",)

    def measure(self, observation: Observation) -> dict[str, np.ndarray]:
        raise DataError("the target is out of view")


@pytest.fixture
def seen(picture) -> Observation:
    """The camera stands in the world's axes: x right, y down, z forward."""
    camera = Camera("corner", np.array([[50.0, 0, 16], [0, 50, 12], [0, 0, 1]]), np.eye(4), 24, 32)
    points = {"gripper": np.zeros(3), "target": np.array([0.1, 0.2, 0.3]), "goal": np.array([0.1, 0.2, 0.5])}
    proprio = np.array([0, 0, 0, 0, 0, 0, 1, 1.0])
    views = {"corner": View(camera, large_rgb=picture)}
    return Observation(5, "push it", views, proprio, Scene(points, np.zeros(1)))


@pytest.fixture
def planner(asking):
    """`planner(server, setting of the chat=…, offsets=…)`"""

    def make(server, offsets: OffsetSource | None = None, corrections: int = 1, **changes) -> ChatPlanner:
        client = asking(server, **changes).client
        config = ChatPlannerConfig(corrections=corrections)
        return ChatPlanner(config, client, "corner", Fallback(), offsets)

    return make


def test_the_answer_is_the_plan_and_the_fallback_is_not_asked(serve, planner, seen):
    server = serve(says(PLAN))
    made = planner(server, price_in=1.0, price_out=2.0)
    plan = made.plan(seen, "open the door", Feedback("start"))
    assert isinstance(made, Planner)
    assert plan == parse_plan(PLAN), "notes do not count"
    assert made.fallback.asked == []
    (note,) = plan.notes
    assert (note.kind, note.reason) == ("chat", "plan by toy, 1 question, 812 + 40 tokens")
    assert note.values["cost"] == pytest.approx(812e-6 + 80e-6)


def test_the_model_is_shown_the_picture_the_task_and_the_reason(serve, planner, seen, picture):
    server = serve(says(PLAN))
    planner(server, pictures=replace(ChatConfig("toy").pictures, least_side=0)).plan(
        seen, "open the door", Feedback("stuck: moved 0.4 mm", ("move",))
    )
    (request,) = server.requests
    assert np.array_equal(request.pictures[0], picture)
    assert len(request.pictures) == 1
    rules, question = request.texts
    assert "- x: + is to the left" in rules
    for part in ("open the door", "stuck: moved 0.4 mm", "Until now: move"):
        assert part in question
    assert "Measured" not in question


def test_measured_offsets_are_told_along_the_plan_axes(serve, planner, seen):
    server = serve(says(PLAN))
    planner(server, SceneOffsets("corner")).plan(seen, "open the door")
    question = server.requests[0].texts[1]
    approach = (
        "- from the gripper to the target: x -0.100 (right), y -0.200 (down), z -0.300 (forward); "
        "distance 0.374"
    )
    assert approach in question
    assert "x 0.000, y 0.000, z -0.200 (forward); distance 0.200" in question


class Eyes:
    """A source of points that finds some, by the same protocol as the planner from pixels."""

    request = ViewRequest(depth=True)
    privileged = ()

    def __init__(self, *names: str) -> None:
        self.names = names

    def for_case(self, case: Case) -> "Eyes":
        return self

    def points(self, observation: Observation) -> dict[str, np.ndarray]:
        assert observation.scene is not None
        return {name: observation.scene.points[name] for name in self.names}


def test_offsets_between_points_that_were_found_are_those_of_the_scene(serve, planner, seen):
    server = serve(says(PLAN))
    sources = PointOffsetSources(Eyes("gripper", "target", "goal"))
    offsets = sources.for_case(CASE)
    assert isinstance(offsets, OffsetSource)
    assert (offsets.request, offsets.privileged, sources.privileged) == (ViewRequest(depth=True), (), ())
    found, told = offsets.measure(seen), SceneOffsets("corner").measure(seen)
    assert found.keys() == told.keys()
    for way, offset in told.items():
        np.testing.assert_array_equal(found[way], offset)
    plan = planner(server, offsets).plan(seen, "open the door")
    assert [note.kind for note in plan.notes] == ["chat"]


def test_a_way_that_cannot_be_measured_is_left_to_the_model_and_noted(serve, planner, seen):
    server = serve(says(PLAN))
    plan = planner(server, PointOffsets("corner", Eyes("gripper", "target"))).plan(seen, "open the door")
    question = server.requests[0].texts[1]
    assert "- from the gripper to the target: x -0.100 (right)" in question
    assert "where it belongs" not in question
    assert [(note.kind, note.reason) for note in plan.notes[1:]] == [
        ("unmeasured", "by eye: from the target to where it belongs")
    ]
    plan = planner(server, PointOffsets("corner", Eyes("gripper"))).plan(seen, "close the door")
    assert "Measured" not in server.requests[1].texts[1]
    assert plan == parse_plan(PLAN)


@pytest.mark.slow
def test_chat_on_pixels_plans_without_object_poses(serve, tmp_path):
    """By its name, in a rendered scene; then with an endpoint that is down just when nothing can be seen: the
    fallback remembers what the offsets were measured from."""
    server = serve(says(PLAN), fails(400))
    chat = ChatConfig("toy", base_url=server.url, cache=tmp_path / "cache")
    planners = make_planners(SpatialPolicyConfig(planner="chat-pixels", chat=chat))
    assert planners.privileged == ()
    environment = make("metaworld", "shelf-place", 2200, camera="corner2")
    environment.reset()
    made = planners.for_case(environment.case)
    assert made.privileged == made.request.privileged == ()
    asked = replace(made.request, height=96, width=96)
    observation = environment.observe(asked)
    assert observation.scene is None
    plan = made.plan(observation, observation.instruction, Feedback("start"))
    assert plan == parse_plan(PLAN)
    (question,) = [request.texts[1] for request in server.requests]
    told = SceneOffsets("corner2").measure(environment.observe(replace(asked, scene=True)))
    for way, offset in told.items():
        (line,) = (line for line in question.splitlines() if way in line)
        distance = float(line.rsplit(" ", 1)[1])
        assert distance == pytest.approx(float(np.linalg.norm(offset)), abs=0.02)

    blind = replace(
        observation,
        views={name: replace(v, depth_m=np.zeros_like(v.depth_m)) for name, v in observation.views.items()},
    )
    fallback = made.plan(blind, observation.instruction, Feedback("stuck"))
    assert fallback.notes[0].reason.startswith("plan of PixelPlanner instead: EndpointError")
    assert [row.verb for row in fallback.rows] == ["move", "grasp", "move"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (says(UNKNOWN_VERB), "UnreadableReply: plan line 2: expected one of the verbs"),
        (says("I'm sorry, I can't help with that."), "UnreadableReply: plan line 1: expected the header"),
        (says("Cannot: too dark"), "RefusedReply: the planner declined: too dark"),
        (says(None, refusal="no"), "RefusedReply"),
        (says("Plan:\n1. mo", "length"), "TruncatedReply"),
        (sends(b'{"choi'), "MalformedReply"),
        (breaks_off, "EndpointError: no connection"),
        (hangs, "EndpointError: no answer from"),
        (fails(500, "broken"), "EndpointError: .* status 500: broken"),
        (fails(429, Retry_After="3600"), "EndpointError: .* status 429"),
    ],
)
def test_whatever_goes_wrong_the_fallback_plans_and_the_note_says_why(
    serve, planner, seen, behaviour, reason
):
    made = planner(serve(behaviour), timeout_s=0.3 if behaviour is hangs else 20.0, attempts=2)
    plan = made.plan(seen, "open the door", Feedback("start"))
    assert plan == OWN
    assert made.fallback.asked == [("open the door", Feedback("start"))]
    note, own = plan.notes
    assert note.kind == "fallback"
    assert note.reason.startswith("plan of Fallback instead: ")
    assert "\n" not in note.reason
    assert re.search(reason, note.reason)
    assert own.kind == "own", "what the fallback tells is kept"
    assert note.values["requests"] >= 1


def test_nobody_there(planner, seen):
    plan = planner("http://127.0.0.1:9/v1").plan(seen, "open the door")
    assert plan == OWN
    assert plan.notes[0].values == {"asked": 1.0, "requests": 4.0}


def test_a_stalled_endpoint_costs_a_few_questions_not_every_one(serve, planner, seen):
    server = serve(hangs)
    made = planner(server, timeout_s=0.2, attempts=1)
    plans = [made.plan(seen, "open the door", Feedback("start")) for _ in range(6)]
    assert plans == [OWN] * 6
    assert len(server.requests) == 3
    reasons = [plan.notes[0].reason for plan in plans]
    assert ["EndpointError: no answer" in reason for reason in reasons] == [True] * 3 + [False] * 3
    assert all("EndpointGivenUp: " in reason and "not asked any more" in reason for reason in reasons[3:])
    assert chat_totals([note for plan in plans for note in plan.notes]) == {
        "chat_asked": 6.0,
        "chat_requests": 3.0,
    }


def test_an_unreadable_answer_is_sent_back_once_with_the_reason(serve, planner, seen):
    server = serve(says(UNKNOWN_VERB), says(PLAN))
    plan = planner(server).plan(seen, "open the door")
    assert plan == parse_plan(PLAN)
    assert plan.notes[0].reason == "plan by toy, 2 questions, 1624 + 80 tokens"
    rules, question, answer, problem = server.requests[1].texts
    assert [rules, question] == server.requests[0].texts
    assert answer == UNKNOWN_VERB
    assert "got 'teleport'" in problem
    assert len(server.requests[1].pictures) == 1


@pytest.mark.parametrize("corrections", [0, 1, 3])
def test_corrections_are_bounded_and_paid_for(serve, planner, seen, corrections):
    server = serve(says(UNKNOWN_VERB))
    plan = planner(server, corrections=corrections).plan(seen, "open the door")
    assert len(server.requests) == corrections + 1
    assert plan.notes[0].values["tokens_in"] == 812 * (corrections + 1)


def test_an_offset_that_cannot_be_measured_is_a_failure_like_others(serve, planner, seen):
    server = serve(says(PLAN))
    plan = planner(server, BlindOffsets()).plan(seen, "open the door")
    assert plan == OWN
    assert plan.notes[0].reason.endswith("DataError: the target is out of view")
    assert not server.requests


def test_the_same_scene_is_asked_about_once(serve, planner, seen):
    server = serve(says(PLAN))
    plans = [planner(server).plan(seen, "open the door", Feedback("start")) for _ in range(3)]
    assert len(server.requests) == 1
    assert plans[1].notes == plans[2].notes, "a repeated episode tells the same"
    assert "1 from the cache" in plans[1].notes[0].reason
    planner(server).plan(seen, "open the door", Feedback("stuck"))
    assert len(server.requests) == 2


def test_an_episodes_costs_are_sums_over_its_events(serve, planner, seen):
    server = serve(says(PLAN), fails(400), says(UNKNOWN_VERB), says(PLAN))
    made = planner(server, price_in=1.0, price_out=1.0)
    plans = [made.plan(seen, "open the door", Feedback(reason)) for reason in ("start", "stuck", "again")]
    notes = [note for plan in plans for note in plan.notes]
    totals = chat_totals(notes)
    assert totals["chat_asked"] == totals["chat_requests"] == len(server.requests) == 4
    assert totals["chat_tokens_in"] == 3 * 812
    assert totals["chat_cost"] == pytest.approx(3 * 852e-6)
    assert chat_totals([Note("own", "measured", {"x": 1.0})]) == {}


class Imaginer:
    """What is seen, twice."""

    request = ViewRequest(("corner",), 24, 32)
    privileged = ()

    def reset(self, case: Case) -> None:
        return None

    def imagine(
        self, observation: Observation, plan: SpatialPlan | None, generator: torch.Generator
    ) -> ImaginedVideo:
        rgb = observation.views["corner"].rgb
        assert rgb is not None
        return ImaginedVideo(rgb, np.stack([rgb, rgb]), plan, observation.instruction)


class Policy:
    request = Imaginer.request

    def act(self, observation: Observation, goal: Image | None, generator: torch.Generator) -> ActionChunk:
        return ActionChunk(np.zeros((4, 4)))


def first_decision(planner: ChatPlanner, seen: Observation) -> Decision:
    """An agent's, whose planner this is."""
    planners = SimpleNamespace(privileged=(), for_case=lambda case: planner)
    agent = SpatialPolicyAgent(SpatialPolicyConfig(), planners, Imaginer(), Policy())
    agent.reset(CASE)
    request = agent.request()
    assert (request.height, request.width, request.large_side) == (24, 32, 336)
    view = seen.views["corner"]
    return agent.act(replace(seen, views={"corner": replace(view, rgb=view.large_rgb)}))


def test_an_agents_events_tell_what_the_planner_did(serve, planner, seen):
    """Reasons and numbers reach `results.json` as they are."""
    made = planner(serve(says(PLAN), fails(400, "no such model")))
    events = first_decision(made, seen).events
    assert [event.kind for event in events] == ["chat", "plan", "imagine"]
    assert events[1].reason == "start: move 0.12 m, pull 0.20 m"
    assert chat_totals(events)["chat_tokens_in"] == 812
    events = first_decision(made, replace(seen, instruction="close it")).events
    assert [event.kind for event in events] == ["fallback", "own", "plan", "imagine"]
    assert "status 400: no such model" in events[0].reason
    assert events[2].reason == "start: push 0.30 m"


def test_what_was_asked_counts_where_the_fallback_finds_no_plan_either(serve, planner, seen, monkeypatch):
    server = serve(says(UNKNOWN_VERB))
    made = planner(server, price_in=1.0, price_out=2.0)

    def hidden(*_: object) -> SpatialPlan:
        raise DataError("the target cannot be seen")

    monkeypatch.setattr(made.fallback, "plan", hidden)
    with pytest.raises(NoPlan, match="the target cannot be seen"):
        made.plan(seen, "open the door")
    events = first_decision(made, replace(seen, instruction="close it")).events
    assert [event.kind for event in events] == ["fallback", "fallback", "plan", "imagine"]
    assert events[0].reason.startswith("plan of Fallback instead: UnreadableReply: plan line 2")
    assert events[1].reason == "no plan instead: the target cannot be seen"
    totals = chat_totals(events)
    assert (totals["chat_asked"], totals["chat_requests"], len(server.requests)) == (2, 2, 4)
    assert totals["chat_cost"] == pytest.approx(2 * (812 + 2 * 40) / 1e6)


class TestSetUp:
    def test_it_asks_for_what_all_its_parts_need(self, planner):
        made = planner("http://127.0.0.1:9/v1", BlindOffsets())
        request = made.request
        assert request.cameras == ("corner", "side")
        assert request.large_side == made.config.size == 336
        assert (request.depth, request.segmentation, request.scene) == (True, True, True)
        assert made.privileged == ("scene", "segmentation")

    def test_a_wrong_set_up_is_no_reason_to_fall_back(self, serve, planner, seen):
        made = planner(serve(says(PLAN)), SceneOffsets("corner"))
        for wrong, message in (
            (replace(seen, views={}), "'corner'"),
            (replace(seen, views={"corner": View(seen.views["corner"].camera)}), "large_side"),
            (replace(seen, scene=None), "scene=True"),
        ):
            with pytest.raises(UsageError, match=message):
                made.plan(wrong, "open the door")
        assert made.fallback.asked == []

    def test_planners_share_a_client_and_declare_every_privilege(self, serve, asking, seen):
        server = serve(says(PLAN))
        client = asking(server).client
        planners = ChatPlanners(ChatPlannerConfig(), client, Fallback(), SceneOffsetSources())
        assert isinstance(planners, Planners)
        assert planners.privileged == ("scene",)
        one, other = planners.for_case(CASE), planners.for_case(replace(CASE, camera="side"))
        assert (one.camera, other.camera) == ("corner", "side")
        assert one.client is other.client
        assert one.plan(seen, "open the door") == parse_plan(PLAN)

    def test_building_finds_a_missing_key(self, monkeypatch):
        monkeypatch.delenv("TOY_KEY", raising=False)
        with pytest.raises(KeyMissing, match="TOY_KEY"):
            ChatPlannerConfig().build(ChatConfig("toy", key_variable="TOY_KEY"), Fallback())

    @pytest.mark.parametrize("changes", [{"longest_m": 0.0}, {"corrections": -1}, {"size": 0}])
    def test_wrong_settings(self, changes):
        with pytest.raises(UsageError, match="positive"):
            ChatPlannerConfig(**changes)

    def test_settings_survive_a_recipes_file(self):
        config = ChatPlannerConfig(1.5, size=448)
        assert from_json(ChatPlannerConfig, to_json(config)) == config
