"""What the records say is true of the pictures and of the simulation behind them."""

from functools import cache

import numpy as np
import pytest

from kinesight.collection.grounding.ask_places import SIDE_WORDS
from kinesight.data.episodes import EpisodeStore
from kinesight.data.ground_set import GroundItem, GroundSet
from kinesight.envs.tabletop import redraw
from kinesight.envs.tabletop_layout import TableState
from kinesight.envs.tabletop_steps import done, lasts
from kinesight.envs.tabletop_tasks import draw
from kinesight.evaluation.spatial_metrics import hit_share
from kinesight.geometry.camera import project, world_to_camera
from kinesight.geometry.picture_marks import LEAST_PIXELS, object_marks
from kinesight.types.ground import (
    MOST_RECORDS,
    RECORD_TYPES,
    BoxAnswer,
    ChoiceAnswer,
    OffsetsAnswer,
    PathAnswer,
    ProgressAnswer,
    Record,
    RegionAnswer,
    SentenceAnswer,
)
from kinesight.types.observation import View, ViewRequest
from kinesight.types.serial import from_jsonable, to_jsonable


@pytest.fixture(scope="session")
def plans(small: GroundSet) -> EpisodeStore:
    return EpisodeStore(small.path / "plans")


def of_type(items: list[GroundItem], *types: str) -> list[GroundItem]:
    found = [item for item in items if item.record.type in types]
    assert found, f"the set has records of {types}"
    return found


@cache
def drawn_again(ground: GroundSet, frame: int) -> View:
    """By the environment's own function, from the stored state."""
    shown = ground.frame(frame)
    case = ground.episodes[shown.episode].case
    request = ViewRequest(
        cameras=("front",), height=shown.size.height, width=shown.size.width, depth=True, segmentation=True
    )
    return redraw(case, ground.state(frame).astype(np.float64), request)["front"]


def test_every_trajectory_reached_its_goal(small: GroundSet, plans: EpisodeStore):
    assert len(plans) == len(small.episodes) == 2
    for episode in small.episodes:
        setting = draw(episode.case)
        last = plans[episode.index].arrays["state"][episode.length].astype(np.float64)
        state = TableState(setting.things, last)
        assert all(done(step, state) for step in setting.steps if lasts(step))


def test_a_frame_is_what_the_environment_draws_of_its_state(small: GroundSet):
    own = [j for j in range(small.frame_count) if small.frame(j).camera.name == "front"]
    assert own
    for j in own[::3]:
        again = drawn_again(small, j)
        np.testing.assert_array_equal(small.image(j), again.rgb)
        depth_m = small.depth_m(j)
        assert depth_m is not None
        assert again.depth_m is not None
        assert np.abs(depth_m - again.depth_m).max() <= 0.0006
        np.testing.assert_allclose(small.frame(j).camera.K, again.camera.K)
        np.testing.assert_allclose(small.frame(j).camera.T_world_camera, again.camera.T_world_camera)


def test_boxes_and_points_are_those_of_the_segmentation(small: GroundSet, items: list[GroundItem]):
    checked = 0
    for item in of_type(items, "box", "point"):
        if item.camera.name != "front" or item.frame.moment not in (0, small.episodes[0].length):
            continue  # compiling the scene again is slow
        again = drawn_again(small, frame_number(small, item))
        assert again.segmentation is not None
        marks = {mark.name: mark for mark in object_marks(again.segmentation, again.names)}
        mark, answer = marks[item.record.about[0]], item.record.answer
        if isinstance(answer, BoxAnswer):
            assert answer.box.edges == mark.box.edges
        else:
            assert isinstance(answer, RegionAnswer)
            assert answer.region.mask().sum() == mark.pixels
            assert hit_share(answer.points, answer.region.mask()) == 1
        checked += 1
    assert checked > 10


def frame_number(ground: GroundSet, item: GroundItem) -> int:
    frames = ground.frames_of(item.frame.episode)
    return next(
        j
        for j in frames
        if (ground.frame(j).moment, ground.frame(j).take) == (item.frame.moment, item.frame.take)
    )


def test_the_gripper_path_is_the_simulated_one(
    small: GroundSet, items: list[GroundItem], plans: EpisodeStore
):
    for item in of_type(items, "gripper-path", "remaining-path"):
        episode = small.episodes[item.frame.episode]
        hand = plans[episode.index].arrays["proprio"][:, :3].astype(np.float64)
        present = episode.actions[episode.action_at(item.frame.moment)]
        ends = project(hand[[item.frame.moment, present.last]], item.camera)
        answer = item.record.answer
        assert isinstance(answer, PathAnswer)
        size = (item.camera.width, item.camera.height)
        np.testing.assert_allclose(answer.path.points[[0, -1]] * size, ends, atol=0.01)
        steps = np.linalg.norm(np.diff(answer.path.points * size, axis=0), axis=1)
        span = project(hand[item.frame.moment : present.last + 1], item.camera)
        arc = np.linalg.norm(np.diff(span, axis=0), axis=1).sum() / 7
        assert len(steps) == 7
        assert steps.max() <= arc + 0.01, "a chord is no longer than its arc"
        assert np.median(steps) > 0.8 * arc


def test_depths_are_the_grippers(small: GroundSet, items: list[GroundItem], plans: EpisodeStore):
    for item in of_type(items, "depth-offsets"):
        episode = small.episodes[item.frame.episode]
        hand = plans[episode.index].arrays["proprio"][:, :3].astype(np.float64)
        last = episode.actions[episode.action_at(item.frame.moment)].last
        z = world_to_camera(hand[[item.frame.moment, last]], item.camera)[:, 2]
        answer = item.record.answer
        assert isinstance(answer, OffsetsAnswer)
        np.testing.assert_allclose(answer.depth_m[[0, -1]], z, atol=1e-3)


def test_sides_are_those_of_the_picture(small: GroundSet, items: list[GroundItem]):
    """The left one's centre lies further left in the picture; the one in front is nearer to the camera."""
    for item in of_type(items, "relation"):
        answer, things = item.record.answer, {thing.name: thing for thing in item.frame.things}
        assert isinstance(answer, ChoiceAnswer)
        centres = np.array(
            [np.add(things[name].low, things[name].high) / 2 * (1, 1, 0) for name in item.record.about]
        )
        seen = world_to_camera(centres, item.camera)
        said = next(side for side, words in SIDE_WORDS.items() if f" {words} " in answer.words)
        across, farther = seen[0, 0] - seen[1, 0], seen[0, 2] - seen[1, 2]
        assert {"left": across < 0, "right": across > 0, "in front": farther < 0, "behind": farther > 0}[said]


def test_free_places_are_on_the_table_and_away_from_things(small: GroundSet, items: list[GroundItem]):
    for item in of_type(items, "free-space"):
        answer = item.record.answer
        assert isinstance(answer, RegionAnswer)
        assert hit_share(answer.points, answer.region.mask()) == 1
        assert answer.region.mask().mean() > 0.003
        for thing in item.frame.things:
            if thing.point is not None and thing.name not in ("gripper", "drawer"):
                assert hit_share((thing.point,), answer.region.mask()) == 0, thing.name


def test_time_is_told_by_the_actions(small: GroundSet, items: list[GroundItem]):
    for item in of_type(items, "progress", "next-step", "previous-step"):
        episode, moment = small.episodes[item.frame.episode], item.frame.moment
        ended = [action for action in episode.actions if action.last <= moment]
        match item.record.answer:
            case ProgressAnswer(completed, finished):
                assert (completed, finished) == (len(ended), moment == episode.length)
            case SentenceAnswer(text) if item.record.type == "next-step":
                assert text == episode.actions[len(ended)].text
                assert moment == episode.actions[len(ended)].first
            case SentenceAnswer(text):
                assert text == ended[-1].text
                assert moment == ended[-1].last


def test_nothing_is_asked_about_what_can_hardly_be_seen(small: GroundSet):
    hidden = 0
    for j in range(small.frame_count):
        pixels = {thing.name: thing.pixels for thing in small.frame(j).things}
        records = small.records_of(j)
        assert 0 < len(records) <= MOST_RECORDS
        hidden += sum(count < LEAST_PIXELS for count in pixels.values())
        for record in records:
            if record.type != "count":
                assert all(pixels[name] >= LEAST_PIXELS for name in record.about), record.name
    assert hidden > 0, "some things are hidden in some frames, or this shows nothing"


def test_questions_of_a_frame_and_names_of_the_set_differ(small: GroundSet, items: list[GroundItem]):
    names = [item.record.name for item in items]
    assert len(set(names)) == len(names)
    for j in range(0, small.frame_count, 5):
        questions = [record.question for record in small.records_of(j)]
        assert len(set(questions)) == len(questions)


def test_records_survive_their_json(items: list[GroundItem]):
    seen = set()
    for record in (item.record for item in items):
        again = from_jsonable(Record, to_jsonable(record))
        assert to_jsonable(again) == to_jsonable(record)
        seen.add(record.type)
        assert record.subset == "train"
        assert record.env_split == "train"
    assert seen >= set(RECORD_TYPES) - {"orientation"}


def test_a_set_is_restricted_by_subset_and_type(small: GroundSet):
    boxes = GroundSet(small.path, "train", ("box",))
    assert 0 < len(boxes) < len(small)
    assert {boxes.record(i).type for i in range(len(boxes))} == {"box"}
    assert len(GroundSet(small.path, "test")) == 0
    item = boxes[-1]
    assert item.image.shape == (112, 128, 3)
    assert item.record.name == boxes.record(len(boxes) - 1).name
