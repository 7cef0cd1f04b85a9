import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesight.envs.catalogue import tasks
from kinesight.geometry.plan_frame import offset_to_row, offset_to_world
from kinesight.interfaces.stages import Planner
from kinesight.planning.geometric import GeometricPlanner
from kinesight.planning.task_motions import TASK_MOTIONS, TaskMotion, way_left
from kinesight.types.errors import UnknownName, UsageError
from kinesight.types.observation import Observation, Scene, View
from kinesight.types.plan import Feedback, SpatialPlan

TASKS = tuple(TASK_MOTIONS)
TOUCHING = tuple(task for task, motion in TASK_MOTIONS.items() if not motion.moves_hand)
WAY_M = np.array([0.3, 0.25, 0.2])


def observed(camera, gripper, target, goal, gripper_open=1.0) -> Observation:
    points = {"gripper": np.array(gripper), "target": np.array(target), "goal": np.array(goal)}
    proprio = np.array([*gripper, 0, 0, 0, 1, gripper_open], float)
    return Observation(0, "do it", {camera.name: View(camera)}, proprio, Scene(points, np.zeros(3)))


def planned(task, camera, gripper, target, goal, gripper_open=1.0) -> SpatialPlan:
    return GeometricPlanner(task, camera.name).plan(
        observed(camera, gripper, target, goal, gripper_open), "do it"
    )


def places(task: str):
    """Gripper at the contact, target and goal far from it, with the task's own offsets taken out."""
    motion = TASK_MOTIONS[task]
    target = np.array([0.1, 0.6, 0.1])
    goal = target + WAY_M - motion.goal_offset_m
    return target + motion.contact_m, target, goal


def verbs(plan: SpatialPlan) -> list[str]:
    return [row.verb for row in plan.rows]


def test_every_task_of_the_simulator_has_a_motion():
    assert sorted(TASKS) == sorted(tasks("metaworld"))


@pytest.mark.parametrize(("axes", "kept"), [("z", (0, 0, 1)), ("xy", (1, 1, 0)), ("xyz", (1, 1, 1))])
def test_only_the_axes_of_the_success_test_are_left_to_go(axes, kept):
    motion = TaskMotion("push", (0.0, 0.0, 0.0), 0.02, goal_offset_m=(0.0, 0.0, 0.1), axes=axes)
    way = way_left(motion, np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]]), np.array([1.0, 1.0, 1.0]))
    assert way == pytest.approx(np.array([[0.9, 0.8, 0.8], [1.0, 1.0, 1.1]]) * kept)


@pytest.mark.parametrize("task", [task for task in TASKS if TASK_MOTIONS[task].moves_hand])
def test_where_the_hand_goes_the_target_does_not_matter(task, camera):
    hand, goal = np.array([0.0, 0.6, 0.2]), np.array([0.3, 0.6, 0.0])
    plans = [planned(task, camera, hand, target, goal) for target in (hand, goal, -goal)]
    assert verbs(plans[0]) == ["reach"]
    assert plans[0].rows[0].direction == (-1, -1, 0), "right and down"
    assert plans[0] == plans[1] == plans[2]
    assert planned(task, camera, goal + 0.02, hand, goal) == SpatialPlan(())


def test_is_a_planner_that_asks_for_no_picture():
    planner: Planner = GeometricPlanner("door-open", "corner")
    assert planner.privileged == ("scene",)
    request = planner.request
    assert (request.cameras, request.scene) == (("corner",), True)
    assert not any((request.rgb, request.depth, request.segmentation))


@pytest.mark.parametrize("task", TOUCHING)
class TestEveryTask:
    def test_from_afar_the_whole_plan(self, task, camera):
        contact, target, goal = places(task)
        plan = planned(task, camera, contact + np.array([0.2, 0.0, 0.1]), target, goal)
        motion = TASK_MOTIONS[task]
        assert verbs(plan) == ["move", *(["grasp"] if motion.grasps else []), motion.verb]
        assert plan.rows[0].direction == (1, -1, 0), "left and down"
        assert plan.rows[0].distance_m == pytest.approx(np.hypot(0.2, 0.1))
        right, forward, up = (axis in motion.axes for axis in "xyz")
        assert plan.rows[-1].direction == (-right, up, -forward)
        assert plan.rows[-1].distance_m == pytest.approx(np.linalg.norm(WAY_M * [right, forward, up]))

    def test_at_the_target_no_approach(self, task, camera):
        contact, target, goal = places(task)
        motion = TASK_MOTIONS[task]
        plan = planned(task, camera, contact + np.array([0.0, 0.0, 0.02]), target, goal)
        assert verbs(plan) == [*(["grasp"] if motion.grasps else []), motion.verb]
        held = planned(task, camera, contact, target, goal, gripper_open=0.4)
        assert verbs(held) == [motion.verb]

    def test_a_closed_gripper_elsewhere_holds_nothing(self, task, camera):
        contact, target, goal = places(task)
        assert (
            verbs(planned(task, camera, contact + np.array([0.3, 0.3, 0.3]), target, goal, 0.3))[0] == "move"
        )

    def test_at_the_goal_nothing_is_left(self, task, camera):
        contact, _, goal = places(task)
        there = goal + TASK_MOTIONS[task].goal_offset_m
        assert planned(task, camera, contact, there, goal) == SpatialPlan(())

    def test_feedback_changes_only_what_the_scene_changes(self, task, camera):
        contact, target, goal = places(task)
        observation = observed(camera, contact + np.array([0.1, 0.1, 0.1]), target, goal)
        planner = GeometricPlanner(task, camera.name)
        again = planner.plan(observation, "differently worded", Feedback("stuck", ("move",)))
        assert again == planner.plan(observation, "do it")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_the_approach_row_leads_to_the_contact(camera, offset):
    contact, target, goal = places("button-press")
    rows = planned("button-press", camera, contact - np.array(offset), target, goal).rows
    if np.linalg.norm(offset) <= 0.04:
        assert len(rows) == 1
        return
    back = offset_to_world(np.array(rows[0].direction, float), camera)
    assert all(a * b >= 0 for a, b in zip(back, offset, strict=True)), "no sign is opposite"
    assert rows[0].distance_m == pytest.approx(np.linalg.norm(offset))


def test_a_half_closed_door_is_touched_anywhere_along_its_back(camera):
    motion = TASK_MOTIONS["door-close"]
    contact, target, goal = places("door-close")
    for share in (0.0, 0.5, 1.0):
        assert verbs(
            planned("door-close", camera, contact + share * np.array(motion.slides_m), target, goal)
        ) == ["push"]


def test_the_dead_zone_is_a_setting(camera):
    contact, target, goal = places("button-press")
    observation = observed(camera, contact - [0.2, 0.0, 0.03], target, goal)
    fine, coarse = (GeometricPlanner("button-press", camera.name, zone) for zone in (0.01, 0.05))
    assert fine.plan(observation, "").rows[0].direction == (-1, 1, 0)
    assert coarse.plan(observation, "").rows[0].direction == (-1, 0, 0)
    assert offset_to_row(np.zeros(3), "move").direction == (0, 0, 0)


def test_unknown_tasks_name_the_known_ones():
    with pytest.raises(UnknownName, match=r"Did you mean 'door-open'\?.*assembly.*shelf-place"):
        GeometricPlanner("door-opn", "corner")


def test_missing_parts_are_named(camera):
    contact, target, goal = places("hammer")
    observation = observed(camera, contact, target, goal)
    with pytest.raises(UnknownName, match=r"view .* 'corner'.*front"):
        GeometricPlanner("hammer", "corner").plan(observation, "")
    blind = Observation(0, "", observation.views, observation.proprio)
    with pytest.raises(UsageError, match="scene=True"):
        GeometricPlanner("hammer", "front").plan(blind, "")
    pointless = Observation(0, "", observation.views, observation.proprio, Scene({}, np.zeros(1)))
    with pytest.raises(UnknownName, match="scene point 'gripper'"):
        GeometricPlanner("hammer", "front").plan(pointless, "")
