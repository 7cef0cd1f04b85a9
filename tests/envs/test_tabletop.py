"""The table-top's laws: layouts, sentences, control, threads, success, incidents, pictures."""

from dataclasses import replace
from itertools import combinations
from math import hypot, pi
from pathlib import Path

import numpy as np
import pytest

from kinesight.agents.episode import run_episode
from kinesight.collection.collect import CollectionConfig, collect
from kinesight.envs import catalogue
from kinesight.envs.noisy import Noisy
from kinesight.envs.tabletop import ACTION_SPEC, STATE_SIZE, TableTop, redraw
from kinesight.envs.tabletop_draw import Rejected
from kinesight.envs.tabletop_expert import TableTopExpert
from kinesight.envs.tabletop_fixtures import (
    BUTTON_TRAVEL_M,
    DRAWER_TRAVEL_M,
    KINDS,
    THREAD_DEPTH_M,
    THREAD_TURN_RAD,
)
from kinesight.envs.tabletop_guess import guessed
from kinesight.envs.tabletop_incidents import Moved, Told
from kinesight.envs.tabletop_language import PARAPHRASES, TEMPLATES, describe
from kinesight.envs.tabletop_layout import DIRECTIONS, REACH_X, REACH_Y, ROBOT_QPOS, TableState, Thing
from kinesight.envs.tabletop_looks import LOOKS, SEEN_LOOKS, UNSEEN_LOOKS, digit_texture
from kinesight.envs.tabletop_robot import thinned
from kinesight.envs.tabletop_splits import (
    HELD_OUT_REGION,
    SPLITS,
    UNSEEN_COLOURS,
    UNSEEN_GROCERIES,
    UNSEEN_SHAPES,
)
from kinesight.envs.tabletop_steps import (
    Press,
    Push,
    Put,
    Screw,
    Slide,
    Step,
    done,
    handle,
    spoils,
    support,
)
from kinesight.envs.tabletop_tasks import CHOICES, SPLIT_TASKS, TASKS, draw
from kinesight.geometry.camera import project
from kinesight.types.case import Case
from kinesight.types.errors import UsageError
from kinesight.types.observation import Observation, ViewRequest
from kinesight.types.results import EpisodeResult


def case_of(task: str, seed: int = 0, split: str = "", variation: int = 0, start: str = "standard") -> Case:
    return Case("tabletop", task, seed, "front", start, split, variation)


def started(task: str, seed: int = 0, **more: str) -> TableTop:
    environment = TableTop(case_of(task, seed, **more))
    environment.reset()
    return environment


def played(case: Case, agent: object | None = None) -> tuple[TableTop, EpisodeResult]:
    environment = TableTop(case, limit=400)
    return environment, run_episode(environment, agent or TableTopExpert())  # type: ignore[arg-type]


def state(observation: Observation, environment: TableTop) -> TableState:
    assert observation.scene is not None
    return TableState(environment.setting.things, observation.scene.state)


ALLOWED = [(task, split) for task in TASKS for split in SPLITS if task in SPLIT_TASKS.get(split, TASKS)]


@pytest.mark.parametrize(("task", "split"), ALLOWED)
def test_layouts_are_clear_named_once_and_drawn_again_alike(task: str, split: str):
    for seed in range(2 if split == "train" else 1):
        setting = draw(case_of(task, seed, split))
        assert setting == draw(case_of(task, seed, split))
        assert len({thing.name for thing in setting.things}) == len(setting.things)
        assert not set(setting.instruction) & set("{}")
        for thing in setting.things:
            assert REACH_X[0] <= thing.x <= REACH_X[1]
            assert REACH_Y[0] <= thing.y <= REACH_Y[1] or thing.kind == "drawer"
        solid = [thing for thing in setting.things if thing.kind != "mat"]
        for one, other in combinations(solid, 2):
            assert hypot(one.x - other.x, one.y - other.y) > one.radius_m + other.radius_m
        names = {thing.name for thing in setting.things}
        for step in setting.steps:
            said = [
                getattr(step, role, None) for role in ("item", "place", "button", "drawer", "mat", "thread")
            ]
            assert {name for name in said if name} <= names
            assert step.text


def test_seeds_and_variations_differ():
    settings = [draw(case_of("pick-place", seed)).things for seed in range(20)]
    assert len(set(settings)) == 20
    assert draw(case_of("pick-place", 0, variation=1)) != draw(case_of("pick-place", 0))


@pytest.mark.parametrize("task", [task for task in TASKS if CHOICES[task]])
def test_a_variation_fixes_its_choice(task: str):
    for variation, choice in list(enumerate(CHOICES[task], 1))[:: max(1, len(CHOICES[task]) // 3)]:
        setting = draw(case_of(task, 1, variation=variation))
        if task in ("open-drawer", "close-drawer", "put-in-drawer"):
            drawer = next(thing for thing in setting.things if thing.kind == "drawer")
            assert (drawer.x > 0) == (choice == "left")
        elif task == "press-sum":
            assert ("plus" in setting.instruction) == (choice == "sum")
        elif task == "pick-attribute":
            assert ("small" in setting.instruction or "large" in setting.instruction) == (choice == "size")
        else:
            assert choice in setting.instruction or choice in setting.steps[-1].text


def test_the_split_table_is_frozen():
    assert UNSEEN_COLOURS == ("pink", "lime", "teal", "brown", "azure")
    assert UNSEEN_SHAPES == ("hexagon", "mug")
    assert UNSEEN_GROCERIES == ("cracker box", "soup can")
    assert set(SEEN_LOOKS).isdisjoint(UNSEEN_LOOKS)
    assert set(SEEN_LOOKS) | set(UNSEEN_LOOKS) == set(LOOKS)
    assert HELD_OUT_REGION == ((-0.28, -0.05), (0.60, 0.76))


def test_training_shows_nothing_of_what_is_kept_back():
    (x_low, x_high), (y_low, y_high) = HELD_OUT_REGION
    kept = set(UNSEEN_SHAPES) | set(UNSEEN_GROCERIES)
    for task in TASKS:
        for seed in range(3):
            setting = draw(case_of(task, seed, "train"))
            assert setting.look in SEEN_LOOKS
            assert not {thing.colour for thing in setting.things} & set(UNSEEN_COLOURS)
            assert not {thing.kind for thing in setting.things} & kept
            first = setting.steps[0]
            if isinstance(first, Put | Screw):
                item = next(thing for thing in setting.things if thing.name == first.item)
                assert not (x_low <= item.x <= x_high and y_low <= item.y <= y_high)
                assert abs(item.yaw) <= pi / 4


def test_each_split_changes_what_it_says():
    def target(split: str, seed: int) -> Thing:
        setting = draw(case_of("pick-place", seed, split))
        return next(t for t in setting.things if t.name == setting.steps[0].item)  # type: ignore[union-attr]

    (x_low, x_high), (y_low, y_high) = HELD_OUT_REGION
    for seed in range(8):
        assert target("unseen-colours", seed).colour in UNSEEN_COLOURS
        assert target("unseen-objects", seed).kind in UNSEEN_SHAPES
        there = target("unseen-positions", seed)
        assert x_low <= there.x <= x_high
        assert y_low <= there.y <= y_high
        assert pi / 4 <= abs(target("unseen-orientations", seed).yaw) <= pi / 2
        assert draw(case_of("pick-place", seed, "unseen-looks")).look in UNSEEN_LOOKS
        item = target("similar-distractors", seed)
        others = draw(case_of("pick-place", seed, "similar-distractors")).things
        assert sum(t.colour == item.colour or t.kind == item.kind for t in others) >= 4
    for task in SPLIT_TASKS["long-horizon"]:
        longest = max(len(draw(case_of(task, seed)).steps) for seed in range(4))
        assert len(draw(case_of(task, 0, "long-horizon")).steps) > longest


def test_every_task_has_sentences_and_no_paraphrase_is_a_template():
    assert set(TEMPLATES) == set(PARAPHRASES) == set(TASKS) == set(CHOICES)
    for task in TASKS:
        assert set(TEMPLATES[task]).isdisjoint(PARAPHRASES[task])


def test_words_that_fit_two_things_are_refused():
    one = Thing("one", "cube", "red", x=0.1)
    small, blue = replace(one, name="small", size="small"), replace(one, name="blue", colour="blue")
    assert describe([one, blue], one) == "the red cube"
    assert describe([one, small, blue], small) == "the small red cube"
    with pytest.raises(Rejected):
        describe([one, replace(one, name="two")], one)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (case_of("pick-plaice"), "pick-place"),
        (case_of("pick-place", split="unseen-colors"), "unseen-colours"),
        (case_of("pick-place", variation=99), "20 violet"),
        (case_of("push", split="long-horizon"), "put-in-drawer"),
        (case_of("pick-place", seed=-1), "seed"),
    ],
)
def test_unknown_names_are_answered_with_the_list(case: Case, message: str):
    with pytest.raises(UsageError, match=message):
        TableTop(case)


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(task, marks=[] if task in ("pick-attribute", "press-buttons") else pytest.mark.sweep)
        for task in TASKS
    ],
)
def test_the_expert_solves_every_task(task: str):
    environment, result = played(case_of(task, 5))
    assert result.success
    assert environment.completed == len(environment.setting.steps)
    subtasks = [event.reason for event in result.events if event.kind == "subtask"]
    assert subtasks == [step.text for step in environment.setting.steps]
    assert result.counts["keypose"] >= len(environment.setting.steps)


@pytest.mark.parametrize(
    ("task", "split"),
    [
        ("pick-place", "interference"),
        pytest.param("put-in-drawer", "interference", marks=pytest.mark.sweep),
        ("put-groceries", "new-instruction"),
    ],
)
def test_the_expert_copes_with_incidents(task: str, split: str):
    environment, result = played(case_of(task, 1, split))
    assert environment.setting.incident is not None
    assert result.success


def test_interference_moves_the_object_once_and_a_new_sentence_replaces_the_first():
    environment = started("pick-place", 2, split="interference")
    moved = environment.setting.incident
    assert isinstance(moved, Moved)
    expert = catalogue.expert("tabletop", environment.case)
    places = []
    for _ in range(40):
        environment.step(expert.act(environment.observe(expert.request())).action)
        places.append(environment.state().position(moved.item)[:2])
    jumps = np.linalg.norm(np.diff(places, axis=0), axis=1) > 0.06
    assert jumps.sum() == 1
    assert hypot(*(places[int(jumps.argmax()) + 1] - [moved.x, moved.y])) < 0.01

    told = started("pick-place", 2, split="new-instruction")
    first = told.observe(ViewRequest()).instruction
    for _ in range(20):
        told.step(np.zeros(7))
    assert isinstance(told.setting.incident, Told)
    assert told.observe(ViewRequest()).instruction == told.setting.incident.instruction != first


def test_the_wrong_object_is_no_success():
    case = case_of("pick-place", 1)
    setting = draw(case)
    step = setting.steps[0]
    assert isinstance(step, Put)
    wrong = next(t.name for t in setting.things if t.type.movable and t.name != step.item)
    environment, result = played(case, Following(replace(step, item=wrong)))
    assert done(replace(step, item=wrong), environment.state())
    assert not result.success
    assert environment.completed == 0


def test_the_wrong_bulb_in_the_lamp_is_no_success():
    case = case_of("screw-bulb", 1)
    setting = draw(case)
    step = setting.steps[0]
    assert isinstance(step, Screw)
    wrong = next(t.name for t in setting.things if t.kind == "bulb" and t.name != step.item)
    environment = TableTop(case, limit=120)
    result = run_episode(environment, Following(replace(step, item=wrong)))
    assert done(replace(step, item=wrong), environment.state())
    assert not result.success


class Following:
    """The expert with steps of our choice."""

    privileged = ("scene",)

    def __init__(self, *steps: Step) -> None:
        self._expert, self._steps = TableTopExpert(), steps
        self.request, self.act = self._expert.request, self._expert.act

    def reset(self, case: Case) -> None:
        self._expert.follow(replace(draw(case), steps=self._steps))


def test_guesses_are_of_the_right_kind_and_hit_by_chance():
    hits = 0
    for seed in range(60):
        setting = draw(case_of("pick-place", seed))
        (guess,) = guessed(setting, np.random.default_rng(seed))
        roles = {thing.name: thing.type.movable for thing in setting.things}
        assert isinstance(guess, Put)
        assert (roles[guess.item], roles[guess.place]) == (True, False)
        hits += (guess.item, guess.place) == (setting.steps[0].item, setting.steps[0].place)  # type: ignore[union-attr]
    assert 0 < hits < 18  # one of six objects and one of two places: 5 on average


def test_buttons_pressed_in_the_wrong_order_spoil_the_episode():
    case = next(c for seed in range(9) if len(draw(c := case_of("press-buttons", seed)).steps) == 2)
    environment = TableTop(case, limit=120)
    steps = environment.setting.steps
    result = run_episode(environment, Following(*steps[::-1], *steps))
    assert not result.success
    assert environment.completed == 0


def test_a_cap_sinks_as_it_turns_and_stays():
    environment, result = played(case_of("close-jar", 0))
    assert result.success
    step = environment.setting.steps[0]
    assert isinstance(step, Screw)
    after = environment.state()
    turn, sunk = after.joint(step.thread, 0), after.joint(step.thread, 1)
    assert turn < -0.9 * THREAD_TURN_RAD
    assert sunk == pytest.approx(turn * THREAD_DEPTH_M / THREAD_TURN_RAD, rel=0.02)
    jar = after.thing(step.thread)
    assert after.position("lid")[2] == pytest.approx(jar.type.floor_m + THREAD_DEPTH_M + sunk, abs=1e-3)
    for _ in range(20):
        environment.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))
    assert environment.state().joint(step.thread) == pytest.approx(turn, abs=0.02)


def test_a_lid_that_lies_on_the_table_is_not_held():
    environment = started("close-jar", 0)
    for _ in range(5):
        environment.step(np.zeros(7))
    assert not any(done(step, environment.state()) for step in environment.setting.steps)


def test_actions_move_and_turn_the_hand_by_their_scales():
    environment = started("pick-place")
    before = environment.observe(ViewRequest()).proprio
    np.testing.assert_allclose(np.abs(before[3:7]), [1, 0, 0, 0], atol=0.01)  # the fingers point down
    for _ in range(4):
        environment.step(np.array([1, 0, 0.5, 0, 0, 1, 1.0]))
    for _ in range(15):
        environment.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))
    after = environment.observe(ViewRequest()).proprio
    np.testing.assert_allclose(after[:3] - before[:3], [0.12, 0, 0.06], atol=0.004)
    qx, qy = after[3], after[4]
    assert 2 * np.arctan2(qy, qx) == pytest.approx(4 * ACTION_SPEC.scales[5], abs=0.03)


@pytest.mark.parametrize("task", ["pick-place", "put-groceries", "close-jar", "screw-bulb", "put-in-drawer"])
def test_things_rest_where_they_were_put(task: str):
    environment = started(task, 4)
    before = environment.state()
    for _ in range(10):
        environment.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))
    after = environment.state()
    for thing in environment.setting.things:
        np.testing.assert_allclose(after.position(thing.name), before.position(thing.name), atol=2e-3)
        np.testing.assert_allclose(after.position(thing.name)[:2], [thing.x, thing.y], atol=6e-3)
    np.testing.assert_allclose(after.hand[:3], before.hand[:3], atol=2e-3)


def test_a_pressed_button_springs_back():
    environment, result = played(case_of("press-sum", 0))
    assert result.success
    button = environment.setting.steps[0]
    assert isinstance(button, Press)
    assert environment.state().joint(button.button) > 0.5 * BUTTON_TRAVEL_M
    for _ in range(12):
        environment.step(np.array([0, 0, 1, 0, 0, 0, -1.0]))
    assert environment.state().joint(button.button) < 0.1 * BUTTON_TRAVEL_M


def test_a_pushed_object_that_is_lifted_was_carried():
    environment = TableTop(case_of("push", 0), limit=200)
    step = environment.setting.steps[0]
    assert isinstance(step, Push)
    result = run_episode(environment, Following(Put(step.item, step.mat)))
    assert done(step, environment.state())
    assert not result.success


def test_words_of_place_are_those_of_the_front_camera():
    camera = started("pick-place").observe(ViewRequest(cameras=("front",), rgb=False)).views["front"].camera
    for words, (x, y) in DIRECTIONS.items():
        here = np.array([0.0, 0.6, 0.0])
        pixels = project(np.stack([here, here + 0.05 * np.array([x, y, 0.0])]), camera)
        dx, dy = pixels[1] - pixels[0]
        seen = {"left of": dx < 0, "right of": dx > 0, "in front of": dy > 0, "behind": dy < 0}
        assert seen[words]


def test_a_kept_state_is_drawn_again_and_under_another_look():
    environment = started("put-groceries", 1)
    for _ in range(5):
        environment.step(np.array([1, -0.5, 0, 0, 0, 0, 0.0]))
    request = ViewRequest(cameras=("left",), height=48, width=48, depth=True, segmentation=True, scene=True)
    live = environment.observe(request)
    assert live.scene is not None
    kept = live.scene.state
    assert kept.shape == (STATE_SIZE,)
    again = redraw(environment.case, kept, request)["left"]
    np.testing.assert_array_equal(again.rgb, live.views["left"].rgb)
    np.testing.assert_array_equal(again.segmentation, live.views["left"].segmentation)
    other = redraw(environment.case, kept.astype(np.float32).astype(np.float64), request, look="slate")[
        "left"
    ]
    np.testing.assert_allclose(other.depth_m, live.views["left"].depth_m, atol=1e-3)
    assert np.mean(other.rgb != live.views["left"].rgb) > 0.5
    with pytest.raises(UsageError, match="studio"):
        redraw(environment.case, kept, request, look="studi")


def test_thinning_keeps_the_shape_and_leaves_no_empty_face():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(500, 3))
    faces = generator.permutation(500)[:498].reshape(-1, 3)
    same_points, same_faces = thinned(points, faces, 1e-9)
    np.testing.assert_allclose(np.sort(same_points[same_faces], axis=0), np.sort(points[faces], axis=0))
    coarse, kept = thinned(points, faces, 0.5)
    assert len(kept) < len(faces)
    assert all(len(set(face)) == 3 for face in kept.tolist())
    distance = np.linalg.norm(points[faces.ravel()][:, None] - coarse[None], axis=2).min(axis=1)
    assert distance.max() < 0.5 * np.sqrt(3)


def test_digits_are_printed_dark_on_white_and_differ():
    pictures = [digit_texture(digit) for digit in range(10)]
    for picture in pictures:
        assert 0.08 < (picture < 80).mean() < 0.5
        assert picture[0].min() > 200
    for one, other in combinations(pictures, 2):
        assert (one != other).mean() > 0.03


def test_kinds_are_as_high_and_wide_as_they_say():
    for name, kind in KINDS.items():
        tops = [part.at[2] for part in kind.parts if part.solid]
        assert all(-1e-9 <= top <= kind.height_m for top in tops), name
        assert not kind.movable or 0.01 < kind.grip_height_m < kind.height_m, name


def test_noise_disturbs_the_first_three_dimensions_only():
    case = case_of("pick-place", 3)
    environment, agent = TableTop(case), Noisy(TableTopExpert(), 0.3)
    environment.reset()
    agent.reset(case)
    labels = 0
    for _ in range(40):
        decision = agent.act(environment.observe(agent.request()))
        if decision.label is not None:
            labels += 1
            np.testing.assert_array_equal(decision.action[3:], decision.label[3:])
        environment.step(decision.action)
    assert 0 < labels < 40


def test_shifted_starts_lie_elsewhere_above_everything():
    hands = np.array([started("pick-place", seed, start="shifted").state().hand[:3] for seed in range(6)])
    assert hands[:, :2].std(axis=0).max() > 0.04
    assert hands[:, 2].min() > 0.16


def test_demonstrations_of_different_layouts_go_into_one_store(tmp_path: Path):
    config = CollectionConfig(
        "tabletop", ("press-sum", "push"), 1, ("front",), 24, 24, starts=("standard",), fps=20.0
    )
    store = collect(config, tmp_path)
    assert len(store) == 2
    for index in range(2):
        episode = store[index]
        events = [(step, reason) for step, kind, reason in episode.text["events"] if kind == "keypose"]
        assert list(episode.keyframes) == sorted({step for step, _ in events})
        assert [kind for _, kind, _ in episode.text["events"] if kind != "keypose"] == ["subtask"]
        assert episode.arrays["state"].shape == (episode.length + 1, STATE_SIZE)
        assert episode.arrays["action"].shape == (episode.length, 7)


def test_drawers_stand_anywhere_and_open_to_any_side_but_the_robots():
    drawers = [
        next(thing for thing in draw(case_of("close-drawer", seed)).things if thing.kind == "drawer")
        for seed in range(30)
    ]
    for values, least in ((("x",), 0.4), (("y",), 0.15), (("yaw",), 2.0), (("opened",), 0.05)):
        spread = np.ptp([getattr(drawer, *values) for drawer in drawers])
        assert spread > least, values
    assert max(abs(drawer.yaw) for drawer in drawers) < pi / 2


@pytest.mark.parametrize(("task", "opened"), [("open-drawer", True), ("close-drawer", False)])
def test_of_two_drawers_the_sentence_names_one_and_the_other_has_to_stay(task: str, opened: bool):
    for seed in range(8):
        setting = draw(case_of(task, seed))
        (step,) = setting.steps
        named, other = (thing for thing in setting.things if thing.kind == "drawer")
        assert step == Slide(named.name, opened, f"{'open' if opened else 'close'} the {named.name}")
        assert named.name in setting.instruction
        assert other.colour not in setting.instruction
        gap = hypot(named.x - other.x, named.y - other.y)
        assert gap > named.radius_m + other.radius_m

        def after(*joints: float, things: tuple[Thing, ...] = setting.things) -> TableState:
            vector = np.zeros(STATE_SIZE)
            vector[ROBOT_QPOS : ROBOT_QPOS + 2] = joints
            return TableState(things, vector)

        start, goal = (0.0, DRAWER_TRAVEL_M) if opened else (0.08, 0.0)
        assert done(step, after(goal, start))
        assert not spoils(step, None, after(goal, start))
        assert not done(step, after(start, goal))
        assert spoils(step, None, after(start, goal))
        assert not spoils(step, None, after(start, start))


def test_a_turned_drawer_is_held_opened_and_filled_along_its_own_way():
    place = Thing("drawer", "drawer", "red", x=0.1, y=0.5, yaw=0.7)
    vector = np.zeros(STATE_SIZE)
    vector[ROBOT_QPOS] = 0.08
    turned = TableState([place], vector)
    straight = TableState([replace(place, x=0.0, y=0.0, yaw=0.0)], vector)
    turn = turned.rotation("drawer")
    for find in (lambda state: handle(state, "drawer", 0.05), lambda state: support(state, "drawer")):
        np.testing.assert_allclose(find(turned), place_of(place) + turn @ find(straight), atol=1e-12)


def place_of(thing: Thing) -> np.ndarray:
    return np.array([thing.x, thing.y, thing.z])


def test_the_hands_quaternion_keeps_its_sign_while_the_wrist_turns():
    environment = started("pick-place")
    seen = []
    for turn in (1.0, -1.0):
        for _ in range(8):
            environment.step(np.array([0, 0, 0, 0, 0, turn, 1.0]))
            seen.append(environment.observe(ViewRequest()).proprio[3:7])
    assert np.abs(np.diff(seen, axis=0)).max() < 0.2
    assert min(quaternion[0] for quaternion in seen) > 0
