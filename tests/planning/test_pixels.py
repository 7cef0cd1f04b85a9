from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesight.envs.catalogue import make
from kinesight.envs.metaworld import segment_names
from kinesight.envs.metaworld_tables import SP11
from kinesight.interfaces.stages import Planner, Planners, PointSource, PointSources, Segmenter
from kinesight.planning.pixels import NotVisible, PixelPlanner, PixelPlanners
from kinesight.planning.segmenters import ClusterSegmenter, SimulatorSegmenter
from kinesight.planning.task_landmarks import FINGERS, TASK_LANDMARKS
from kinesight.planning.task_motions import TASK_MOTIONS
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName, UsageError
from kinesight.types.observation import Observation, View, ViewRequest
from kinesight.types.plan import SpatialPlan

TASK, CAMERA = "shelf-place", "corner2"
SEGMENTERS = {"ids": SimulatorSegmenter(), "clusters": ClusterSegmenter()}


@pytest.fixture(scope="module")
def observation() -> Observation:
    environment = make("metaworld", TASK, 2200)
    environment.reset()
    request = ViewRequest(cameras=(CAMERA,), height=96, width=96, depth=True, segmentation=True, scene=True)
    return environment.observe(request)


def planner(source: str = "clusters", **settings) -> PixelPlanner:
    return PixelPlanner(TASK, CAMERA, SEGMENTERS[source], **settings)


def changed(observation: Observation, **pictures) -> Observation:
    view = replace(observation.views[CAMERA], **pictures)
    return replace(observation, views={CAMERA: view})


def without(observation: Observation, part: str) -> Observation:
    """The same scene with a part taken out of all pictures: the table is seen in its place."""
    view = observation.views[CAMERA]
    hidden = np.isin(view.segmentation, [i for i, name in view.names.items() if name.startswith(part)])
    depth, rgb = view.depth_m.copy(), view.rgb.copy()
    depth[hidden] = 0.0
    rgb[hidden] = (110, 80, 65)
    return changed(observation, depth_m=depth, rgb=rgb, segmentation=np.where(hidden, 0, view.segmentation))


def test_the_tasks_are_those_of_spatial_policy():
    assert set(TASK_LANDMARKS) == set(SP11) <= set(TASK_MOTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASK_LANDMARKS)
def test_parts_exist_and_no_marker_is_one(task):
    """Markers are the simulator's hints: they show the goal, and no camera would see them."""
    landmarks = (TASK_LANDMARKS[task].target, TASK_LANDMARKS[task].goal, *FINGERS)
    parts = {part for landmark in landmarks for part in landmark.parts}
    assert parts <= set(segment_names(task).values())
    assert not any(part.startswith("marker/") for part in parts)


@pytest.mark.parametrize("source", SEGMENTERS)
class TestEverySource:
    def test_is_a_planner_that_asks_for_what_it_uses(self, source):
        made: Planner = planner(source)
        assert isinstance(made, Planner)
        assert isinstance(SEGMENTERS[source], Segmenter)
        assert made.privileged == (("segmentation",) if source == "ids" else ())
        request = made.request
        assert (request.cameras, request.depth, request.scene) == ((CAMERA,), True, False)
        assert (request.rgb, request.segmentation) == (source == "clusters", source == "ids")

    def test_what_it_asks_for_is_enough(self, source, observation):
        view = observation.views[CAMERA]
        request = planner(source).request
        asked = View(
            view.camera,
            view.rgb if request.rgb else None,
            view.depth_m,
            view.segmentation if request.segmentation else None,
            view.names if request.segmentation else {},
        )
        blind = replace(observation, views={CAMERA: asked}, scene=None)
        assert planner(source).plan(blind, "") == planner(source).plan(observation, "")

    def test_points_are_where_the_simulator_has_them(self, source, observation):
        seen = planner(source).look(observation)
        assert seen.recalled == ()
        for name, limit_m in (("gripper", 0.015), ("target", 0.01), ("goal", 0.02)):
            assert getattr(seen, name) == pytest.approx(observation.scene.points[name], abs=limit_m)

    def test_the_plan_is_the_whole_one(self, source, observation):
        plan = planner(source).plan(observation, "")
        assert [row.verb for row in plan.rows] == ["move", "grasp", "move"]

    def test_a_hidden_target_lies_where_it_lay(self, source, observation):
        made = planner(source)
        before = made.plan(observation, "")
        gone = without(observation, "obj/")
        assert made.plan(gone, "") == before
        assert made.look(gone).recalled == ("target",)

    def test_what_was_never_seen_is_not_visible(self, source, observation):
        with pytest.raises(NotVisible, match=r"target of the task cannot be seen from 'corner2' at step 0"):
            planner(source).plan(without(observation, "obj/"), "")
        with pytest.raises(NotVisible, match="goal"):
            planner(source).plan(without(observation, "shelf/"), "")
        blank = changed(observation, depth_m=np.zeros_like(observation.views[CAMERA].depth_m))
        with pytest.raises(NotVisible, match="target and the goal"):
            planner(source).plan(blank, "")

    def test_hidden_fingers_are_felt(self, source, observation):
        seen = planner(source).look(without(observation, "gripper/"))
        assert seen.recalled == ("gripper",)
        assert seen.gripper == pytest.approx(observation.scene.points["gripper"], abs=0.005)

    @pytest.mark.parametrize("size", [1, 2, 5])
    def test_tiny_pictures_raise_nothing_else(self, source, size):
        environment = make("metaworld", TASK, 2200)
        environment.reset()
        request = ViewRequest(cameras=(CAMERA,), height=size, width=size, depth=True, segmentation=True)
        with pytest.raises(NotVisible):
            planner(source).plan(environment.observe(request), "")

    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 999), share=st.floats(0.0, 0.5))
    def test_holes_in_the_depth_change_little(self, source, observation, seed, share):
        view = observation.views[CAMERA]
        holes = np.random.default_rng(seed).random(view.depth_m.shape) < share
        depth = np.where(holes, np.float32(0), view.depth_m)
        whole, torn = (
            planner(source).plan(observation, ""),
            planner(source).plan(changed(observation, depth_m=depth), ""),
        )
        for one, other in zip(whole.rows, torn.rows, strict=True):
            assert one.verb == other.verb
            assert one.distance_m == pytest.approx(other.distance_m, abs=0.04)

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 999))
    def test_any_picture_gives_a_plan_or_says_that_it_cannot(self, source, observation, seed):
        random, view = np.random.default_rng(seed), observation.views[CAMERA]
        noise = changed(
            observation,
            rgb=random.integers(0, 256, view.rgb.shape, np.uint8),
            depth_m=random.uniform(-0.5, 3.0, view.depth_m.shape).astype(np.float32),
            segmentation=random.permuted(view.segmentation, axis=1),
        )
        with suppress(NotVisible):
            assert isinstance(planner(source).plan(noise, ""), SpatialPlan)


def test_a_held_target_moves_with_the_hand(observation):
    """Gripper closed round the block, then lifted while the block cannot be seen."""
    view, made = observation.views[CAMERA], planner("ids", gripper_felt=True)
    block = made.look(observation).target
    felt = made.look(observation).gripper
    closed = observation.proprio.copy()
    closed[:3] += (block - felt).astype(np.float32)
    closed[7] = 0.4
    made.look(replace(observation, proprio=closed))
    lifted = closed.copy()
    lifted[2] += 0.2
    seen = made.look(replace(without(observation, "obj/"), proprio=lifted))
    assert seen.recalled == ("gripper", "target")
    assert seen.target == pytest.approx(block + np.array([0, 0, 0.2]), abs=1e-5)
    assert view is observation.views[CAMERA]


def test_the_gripper_may_be_felt_instead_of_seen(observation):
    felt = planner("ids", gripper_felt=True).look(observation)
    assert felt.recalled == ("gripper",)
    assert felt.gripper == pytest.approx(observation.scene.points["gripper"], abs=0.003)


def test_fingers_look_alike_in_nothing_else():
    assert {finger.look.colours for finger in FINGERS} == {("white",), ("cyan",)}


def test_every_case_gets_its_own_planner(observation):
    planners: Planners = PixelPlanners()
    assert planners.privileged == ()
    assert PixelPlanners(SimulatorSegmenter()).privileged == ("segmentation",)
    case = Case(env="metaworld", task=TASK, seed=2200, camera=CAMERA)
    first, second = planners.for_case(case), planners.for_case(case)
    first.plan(observation, "")
    with pytest.raises(NotVisible):
        second.plan(without(observation, "obj/"), "")


def test_the_points_alone_and_without_the_hidden_ones(observation):
    sources: PointSources = PixelPlanners()
    assert isinstance(sources, PointSources)
    source = sources.for_case(Case(env="metaworld", task=TASK, seed=2200, camera=CAMERA))
    assert isinstance(source, PointSource)
    assert set(source.points(without(observation, "obj/"))) == {"gripper", "goal"}
    points = source.points(observation)
    seen = planner().look(observation)
    assert set(points) == {"gripper", "target", "goal"}
    for name, point in points.items():
        np.testing.assert_array_equal(point, getattr(seen, name))
    assert set(source.points(without(observation, "obj/"))) == set(points), "remembered"


def test_missing_parts_are_named(observation):
    with pytest.raises(UnknownName, match=r"Did you mean 'door-open'\?"):
        PixelPlanner("door-opn", CAMERA, ClusterSegmenter())
    with pytest.raises(UnknownName, match=r"view .* 'corner'.*corner2"):
        PixelPlanner(TASK, "corner", ClusterSegmenter()).plan(observation, "")
    with pytest.raises(UsageError, match="depth=True"):
        planner("ids").plan(changed(observation, depth_m=None), "")
    with pytest.raises(UsageError, match="depth=True"):
        planner("clusters").plan(changed(observation, depth_m=None), "")
    with pytest.raises(UsageError, match="rgb=True"):
        planner("clusters").plan(changed(observation, rgb=None), "")
    with pytest.raises(UsageError, match="segmentation=True"):
        planner("ids").plan(changed(observation, segmentation=None), "")
    with pytest.raises(UsageError, match="gap_m"):
        ClusterSegmenter(gap_m=0.0)
