"""Hindsight plans on made-up episodes; test_agreement.py takes the simulator's."""

import numpy as np
import pytest

from kinesight.language.plan_text import decode_plan
from kinesight.planning.geometric import plan_scene
from kinesight.planning.hindsight import contact_frame, hindsight_plans
from kinesight.planning.task_motions import TASK_MOTIONS
from kinesight.types.errors import UnknownName
from kinesight.types.observation import Scene
from kinesight.types.plan import MAX_ROWS, PAD_VERB, EncodedPlan, SpatialPlan

APPROACH, CLOSING, MOTION = 30, 8, 30
TASKS = tuple(task for task, motion in TASK_MOTIONS.items() if not motion.moves_hand)


def episode(task: str, share: float = 1.0, start=(-0.2, 0.4, 0.3)):
    """A straight approach, a grasp where there is one, a straight way of `share` of that to the goal."""
    motion = TASK_MOTIONS[task]
    target = np.array([0.1, 0.7, 0.1])
    contact = target + motion.contact_m
    goal = target + np.array([-0.25, 0.1, 0.2]) - motion.goal_offset_m
    way = share * (goal + motion.goal_offset_m - target)
    closing = CLOSING if motion.grasps else 0
    approach = np.linspace(start, contact, APPROACH)
    carried = np.linspace(np.zeros(3), way, MOTION)
    gripper = np.concatenate([approach, np.repeat(contact[None], closing, 0), contact + carried])
    targets = np.concatenate([np.repeat(target[None], APPROACH + closing, 0), target + carried])
    opening = np.ones(len(gripper))
    if motion.grasps:
        opening[APPROACH : APPROACH + closing] = np.linspace(1, 0.4, closing)
        opening[APPROACH + closing :] = 0.4
    return gripper, opening, targets, goal


def plan_at(arrays, frame: int) -> SpatialPlan:
    return decode_plan(EncodedPlan(*(column[frame] for column in arrays)))


def verbs(plan: SpatialPlan) -> list[str]:
    return [row.verb for row in plan.rows]


@pytest.mark.parametrize("task", TASKS)
def test_agrees_with_the_geometric_planner_on_a_clean_episode(task, camera):
    gripper, opening, target, goal = episode(task)
    arrays = hindsight_plans(task, gripper, opening, target, goal, camera)
    assert [column.shape for column in arrays] == [(len(gripper), MAX_ROWS)] * 3
    motion = TASK_MOTIONS[task]
    same = 0
    for frame in range(len(gripper)):
        points = {"gripper": gripper[frame], "target": target[frame], "goal": goal}
        theirs = plan_scene(motion, Scene(points, np.zeros(1)), float(opening[frame]), camera)
        ours = plan_at(arrays, frame)
        if verbs(ours) == verbs(theirs):
            same += 1
            for mine, other in zip(ours.rows, theirs.rows, strict=True):
                assert abs(mine.distance_m - other.distance_m) < 0.02
                assert all(a * b >= 0 for a, b in zip(mine.direction, other.direction, strict=True))
    assert same / len(gripper) > 0.9


def test_the_way_of_a_hand_is_planned_from_every_frame(camera):
    gripper, opening, _, goal = episode("pick-place")
    still = np.repeat(goal[None] - 0.4, len(gripper), 0)
    arrays = hindsight_plans("reach", gripper, opening, still, gripper[-1], camera)
    for frame in range(len(gripper)):
        left_m = np.linalg.norm(gripper[-1] - gripper[frame])
        assert verbs(plan_at(arrays, frame)) == (["reach"] if left_m > 0.05 else [])
        if left_m > 0.05:
            assert plan_at(arrays, frame).rows[0].distance_m == pytest.approx(left_m)


def test_what_is_held_from_the_first_frame_on_is_not_grasped_again(camera):
    gripper, opening, target, goal = (
        part[-MOTION:] if part.ndim and len(part) > 3 else part for part in episode("basketball")
    )
    arrays = hindsight_plans("basketball", gripper, opening, target, goal, camera)
    assert contact_frame(TASK_MOTIONS["basketball"], gripper, opening, target) == 0
    assert verbs(plan_at(arrays, 0)) == ["move"]


def test_what_falls_out_of_an_open_hand_is_grasped_again(camera):
    """The object drops beside the open gripper in the first frames, as after a slip; then it is fetched."""
    gripper, opening, target, goal = episode("basketball")
    high = np.array([0.0, 0.0, 0.1])
    fall = target[0] + np.linspace(high, 0 * high, 5)
    contact = TASK_MOTIONS["basketball"].contact_m
    gripper = np.concatenate([np.repeat(fall[:1] + contact, 5, 0), gripper])
    opening, target = np.concatenate([np.ones(5), opening]), np.concatenate([fall, target])
    arrays = hindsight_plans("basketball", gripper, opening, target, goal, camera)
    assert verbs(plan_at(arrays, 6)) == ["move", "grasp", "move"]
    assert contact_frame(TASK_MOTIONS["basketball"], gripper, opening, target) > 5 + APPROACH


@pytest.mark.parametrize("task", TASKS)
def test_phases_come_in_order(task, camera):
    gripper, opening, target, goal = episode(task)
    arrays = hindsight_plans(task, gripper, opening, target, goal, camera)
    motion = TASK_MOTIONS[task]
    grasp = ["grasp"] if motion.grasps else []
    assert verbs(plan_at(arrays, 0)) == ["move", *grasp, motion.verb]
    assert verbs(plan_at(arrays, len(gripper) - MOTION + 5)) == [motion.verb]
    assert verbs(plan_at(arrays, -1)) == [], "the goal is reached"
    rows_left = (arrays[0] != PAD_VERB).sum(axis=1)
    assert np.all(np.diff(rows_left) <= 0)


def test_the_approach_ends_where_the_gripper_really_touched(camera):
    gripper, opening, target, goal = episode("button-press")
    frame = contact_frame(TASK_MOTIONS["button-press"], gripper, opening, target)
    arrays = hindsight_plans("button-press", gripper, opening, target, goal, camera)
    assert arrays[2][0, 0] == pytest.approx(np.linalg.norm(gripper[frame] - gripper[0]), abs=1e-6)


def test_a_failed_episode_ends_where_the_target_ended(camera):
    gripper, opening, target, goal = episode("door-open", share=0.4)
    arrays = hindsight_plans("door-open", gripper, opening, target, goal, camera)
    row = plan_at(arrays, 0).rows[-1]
    assert row.distance_m == pytest.approx(np.linalg.norm(target[-1] - target[0]), abs=1e-6)
    assert row.distance_m < 0.5 * np.linalg.norm(goal - target[0])


def test_a_target_that_never_moves_takes_the_nearest_approach(camera):
    gripper, opening, target, goal = episode("faucet-open")
    still = np.repeat(target[:1], len(target), 0)
    arrays = hindsight_plans("faucet-open", gripper, opening, still, goal, camera)
    assert verbs(plan_at(arrays, 0)) == ["move", "rotate"]
    way = np.linalg.norm(gripper[-1] - gripper[APPROACH - 1])
    assert plan_at(arrays, 0).rows[1].distance_m == pytest.approx(way, abs=0.03)


def test_a_target_that_settles_far_from_the_gripper_is_not_touched():
    gripper, opening, target, _ = episode("door-open")
    swinging = target.copy()
    swinging[:10] += np.linspace([0, 0.1, 0], [0, 0, 0], 10)
    motion = TASK_MOTIONS["door-open"]
    assert contact_frame(motion, gripper, opening, swinging) == contact_frame(
        motion, gripper, opening, target
    )


def test_one_frame_is_an_episode(camera):
    gripper, opening, target, goal = (
        part[:1] if part.ndim and len(part) > 3 else part for part in episode("hammer")
    )
    arrays = hindsight_plans("hammer", gripper, opening, target, goal, camera)
    assert arrays[0].shape == (1, MAX_ROWS)


def test_unknown_tasks_are_named(camera):
    gripper, opening, target, goal = episode("hammer")
    with pytest.raises(UnknownName, match="hammer"):
        hindsight_plans("hamer", gripper, opening, target, goal, camera)
