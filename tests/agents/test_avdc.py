"""AVDC's hand and its loop: a world with one coloured block, whose future is known, and the real one once."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from kinesight.agents.avdc import AvdcAgent, AvdcConfig
from kinesight.agents.avdc_pursuit import Pursuit, PursuitConfig, carry_plan, hand_plan, heading, held_place
from kinesight.agents.target_mask import TARGETS, SimulatorTargets, Target
from kinesight.envs import catalogue as envs
from kinesight.envs.metaworld_tables import SP11
from kinesight.interfaces.agent import Agent
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import UnknownName, UsageError
from kinesight.types.observation import Observation, View, ViewRequest
from kinesight.types.video import ImaginedVideo

CONFIG = PursuitConfig()
RISING = np.array([[0.1, 0.6, 0.02], [0.1, 0.6, 0.02], [0.1, 0.7, 0.15], [0.1, 0.75, 0.2]])
LEVEL = np.array([[0.1, 0.6, 0.1], [0.13, 0.64, 0.1], [0.16, 0.68, 0.1], [0.22, 0.76, 0.1]])


def travel(pursuit: Pursuit, hand: np.ndarray, steps: int = 400, reach: float = 0.01) -> list[tuple]:
    """A hand that goes to every set point at once, at most `reach` a step; its places and commands."""
    seen = []
    for _ in range(steps):
        command = pursuit.step(hand)
        seen.append((hand, command.close, pursuit.stage))
        way = command.set_point - hand
        hand = hand + way * min(1, reach / max(np.linalg.norm(way), 1e-9))
    return seen


def test_what_rises_is_grasped_from_above_and_carried_along_its_path():
    pursuit = Pursuit(hand_plan(RISING, CONFIG), CONFIG)
    seen = travel(pursuit, np.array([0.0, 0.4, 0.2]))
    stages = [stage for _, _, stage in seen]
    assert list(dict.fromkeys(stages)) == ["above", "down", "close", "follow"]
    assert stages.count("close") == CONFIG.close_steps
    assert [close for _, close, _ in seen] == [stage in ("close", "follow") for stage in stages]
    taken = seen[stages.index("close")][0]
    np.testing.assert_allclose(held_place(taken, CONFIG), RISING[0], atol=CONFIG.over_m)
    np.testing.assert_allclose(held_place(seen[-1][0], CONFIG), RISING[-1], atol=1e-6)
    assert pursuit.finished
    down = [place for place, _, stage in seen if stage == "down"]
    assert np.linalg.norm((np.stack(down) - RISING[0])[:, :2], axis=1).max() <= CONFIG.over_m


def test_what_does_not_rise_is_pushed_from_the_other_side():
    plan = hand_plan(LEVEL, CONFIG)
    assert plan.mode == "push"
    way = (LEVEL[-1] - LEVEL[0]) / np.linalg.norm(LEVEL[-1] - LEVEL[0])
    np.testing.assert_allclose(plan.start, LEVEL[0] - CONFIG.back_m * way, atol=0.01)
    seen = travel(Pursuit(plan, CONFIG), np.array([0.0, 0.4, 0.2]))
    assert all(close for _, close, _ in seen)
    np.testing.assert_allclose(seen[-1][0], LEVEL[-1] - (0, 0, CONFIG.lower_m), atol=1e-6)


def test_a_plan_moves_and_turns_with_its_path():
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    for path in (RISING, LEVEL):
        plain, moved = hand_plan(path, CONFIG), hand_plan(path @ quarter.T + (0.3, -0.2, 0.1), CONFIG)
        assert moved.mode == plain.mode
        for before, after in ((plain.start, moved.start), (plain.waypoints, moved.waypoints)):
            np.testing.assert_allclose(after, before @ quarter.T + (0.3, -0.2, 0.1), atol=1e-12)


def test_headings_are_level_or_upright_and_of_the_first_far_point():
    zigzag = np.array([[0.0, 0, 0], [0.05, 0, 0], [0.0, 0.2, 0.1], [1.0, 0, 0]])
    np.testing.assert_allclose(heading(zigzag, 0.1), [0, 1, 0])
    np.testing.assert_allclose(heading(zigzag[:2], 0.1), [1, 0, 0])
    np.testing.assert_allclose(heading(np.array([[0.0, 0, 0], [0.02, 0.01, -0.1]]), 0.05), [0, 0, -1])
    np.testing.assert_array_equal(heading(np.zeros((3, 3)), 0.1), [0, 0, 0])
    with pytest.raises(UsageError, match="two points at least, got 1"):
        hand_plan(np.zeros((1, 3)), CONFIG)


def test_a_hand_that_holds_goes_on_without_coming_down_again():
    hand = np.array([0.2, 0.5, 0.3])
    seen = travel(Pursuit(carry_plan(RISING, hand), CONFIG, holding=True), hand)
    assert {(close, stage) for _, close, stage in seen} == {(True, "follow")}
    np.testing.assert_allclose(seen[-1][0], hand + RISING[-1] - RISING[0], atol=1e-6)


SIZE = 64
CAMERA = Camera(
    "corner",
    np.array([[80.0, 0, SIZE / 2], [0, 80, SIZE / 2], [0, 0, 1]]),
    np.array([[1.0, 0, 0, 0], [0, 0, 1, -1], [0, -1, 0, 0.2], [0, 0, 0, 1]]),  # looks along y, z up
    SIZE,
    SIZE,
)
CASE = Case("metaworld", "shelf-place", 3, "corner")
VIEW = ViewRequest(height=SIZE, width=SIZE, crop=False)
GROUND = np.random.default_rng(0).integers(60, 90, (SIZE, SIZE, 3), np.uint8)


def block(column: int, row: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a blue block, and its pixels; a pixel is 12.5 mm wide at the block's 1 m."""
    picture, mask = GROUND.copy(), np.zeros((SIZE, SIZE), bool)
    mask[row : row + 8, column : column + 8] = True
    picture[mask] = (20, 30, 230)
    return picture, mask


class Imaginer:
    """The block goes to the right and up by `ways` pixels a frame."""

    request = replace(VIEW, cameras=("corner",))
    privileged = ("expert",)

    def __init__(self, ways: Mapping[int, tuple[int, int]], frames: int = 3) -> None:
        self.ways, self.frames, self.calls = ways, frames, 0

    def reset(self, case: Case) -> None:
        self.calls = 0

    def imagine(self, observation: Observation, plan: None, generator: torch.Generator) -> ImaginedVideo:
        assert plan is None, "AVDC knows words only"
        right, up = self.ways.get(self.calls, self.ways[0])
        self.calls += 1
        first = observation.views["corner"].rgb
        assert first is not None
        frames = [block(20 + right * t, 40 - up * t)[0] for t in range(1, self.frames + 1)]
        return ImaginedVideo(first, np.stack(frames), None, observation.instruction)


class World:
    """A hand that does what it is told, or none of it, before a block that stays."""

    def __init__(self, agent: AvdcAgent, hidden: bool = False) -> None:
        self.agent, self.hidden = agent, hidden
        self.hand, self.step, self.looks = np.array([0.0, -0.2, 0.3]), 0, []
        agent.reset(CASE)

    def act(self, frozen: bool = False) -> Decision:
        request = self.agent.request()
        views = {}
        if request.cameras:
            assert (request.cameras, request.depth, request.segmentation) == (("corner",), True, True)
            self.looks.append(self.step)
            picture, mask = block(20, 40)
            ids = np.where(mask & (not self.hidden), 7, 0)
            depth = np.ones((SIZE, SIZE), np.float32)
            views = {"corner": View(CAMERA, picture, depth, ids, {0: "background", 7: "obj/objGeom"})}
        proprio = np.concatenate([self.hand, [0, 0, 0, 1, 1]]).astype(np.float32)
        decision = self.agent.act(Observation(self.step, "put the block onto the shelf", views, proprio))
        if not frozen:
            self.hand = self.hand + 0.01 * decision.action[:3]
        self.step += 1
        return decision


def agent(ways: tuple[int, int] = (3, 6), **changes: object) -> AvdcAgent:
    return AvdcAgent(AvdcConfig(**changes), Imaginer({0: ways}), VIEW)


def test_the_hand_follows_what_was_imagined():
    follower = agent(max_replans=0)
    assert isinstance(follower, Agent)
    assert follower.privileged == ("expert", "segmentation")
    world = World(follower)
    decisions = [world.act() for _ in range(200)]
    assert world.looks == [0], "it looks when it plans, and only then"
    assert [event.kind for event in decisions[0].events] == ["imagine", "plan"]
    assert decisions[0].events[0].video is not None
    assert "grasp" in decisions[0].events[1].reason
    assert set(decisions[0].timings_s) == {"imagine", "flow"}
    path = follower.path
    assert path is not None
    across, along, up = path[-1] - path[0]
    assert (across, up) == pytest.approx((9 * 0.0125, 18 * 0.0125), abs=0.01)
    assert abs(along) < 0.03, "the line of sight is what one camera sees least of"
    np.testing.assert_allclose(world.hand, path[-1] + (0, 0, CONFIG.hold_m), atol=0.005)
    actions = np.stack([decision.action for decision in decisions])
    assert np.abs(actions).max() <= 1
    assert (actions[0, 3], actions[-1, 3]) == (pytest.approx(0.8), pytest.approx(-0.8))


def test_it_plans_again_after_fifteen_steps_of_standing_and_not_for_ever():
    world = World(agent(max_replans=2))
    for _ in range(80):
        world.act(frozen=True)
    assert world.looks == [0, 16, 31]
    world = World(agent(max_replans=0))
    for _ in range(40):
        world.act(frozen=True)
    assert world.looks == [0]


def test_a_hidden_target_is_waited_for_and_recorded():
    world = World(agent(max_replans=1), hidden=True)
    first = world.act()
    assert [event.kind for event in first.events] == ["imagine", "lost"]
    assert "0 pixels with a depth" in first.events[1].reason
    np.testing.assert_array_equal(first.action[:3], 0)
    world.hidden = False
    kinds = [[event.kind for event in world.act().events] for _ in range(30)]
    assert kinds[15] == ["imagine", "plan"]


def test_an_episode_depends_on_its_case_alone():
    follower = agent()
    runs = [[World(follower).act().action for _ in range(1)] for _ in range(2)]
    np.testing.assert_array_equal(runs[0], runs[1])


def test_what_does_not_fit_is_refused_at_once():
    with pytest.raises(UsageError, match=r"64 x 64 .crop False., AVDC is to look at 32 x 64"):
        AvdcAgent(AvdcConfig(), Imaginer({0: (1, 1)}), replace(VIEW, height=32))
    with pytest.raises(UnknownName, match=r"task with a target 'shelf-plac'. Did you mean 'shelf-place'\?"):
        agent().reset(replace(CASE, task="shelf-plac"))
    for wrong in ({"max_replans": -1}, {"timeout_steps": 0}, {"gain": 0.0}, {"effort": 1.5}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            AvdcConfig(**wrong)
    with pytest.raises(UsageError, match="heights and tolerances"):
        PursuitConfig(above_m=0.0)


def test_masks_follow_the_names():
    ids = np.array([[1, 2], [3, 0]])
    names = {0: "background", 1: "door/handle", 2: "door/door_link", 3: "robot/hand"}
    view = View(replace(CAMERA, height=2, width=2), segmentation=ids, names=names)
    finder = SimulatorTargets({"pull": Target(("door/handle", "door/door_link"), ("door/handle",))})
    moves, touched = finder.find(view, "pull")
    np.testing.assert_array_equal(moves, [[True, True], [False, False]])
    np.testing.assert_array_equal(touched, [[True, False], [False, False]])
    with pytest.raises(UsageError, match="segmentation=True"):
        finder.find(View(view.camera), "pull")


@pytest.mark.parametrize("task", SP11)
def test_every_target_is_seen_and_the_touched_part_is_near_the_object(task):
    assert set(TARGETS) == set(SP11)
    environment = envs.make("metaworld", task, 5)
    environment.reset()
    observation = environment.observe(
        ViewRequest(("corner",), 96, 96, rgb=False, depth=True, segmentation=True, scene=True)
    )
    moves, touched = SimulatorTargets().find(observation.views["corner"], task)
    assert touched.sum() >= 6
    assert not (touched & ~moves).any()
