"""Conversations about long tasks: order of the steps, what can and cannot be done, nothing by chance."""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kinesight.collection.conversations import (
    COMMANDS,
    Conversation,
    ConversationConfig,
    conversations,
    edited,
    write_conversations,
)
from kinesight.collection.scene_actions import SceneActions, scene_actions
from kinesight.collection.task_story import TaskStory, story_of
from kinesight.data.episodes import DatasetInfo, Episode, EpisodeStore
from kinesight.envs.tabletop_tasks import draw
from kinesight.language import task_talk as talk
from kinesight.language.dialects.answers import Progress, read_progress
from kinesight.language.dialects.dialogue import read_llava, read_swift
from kinesight.language.task_lists import TaskLists, read_task_lists
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UsageError

TASKS = ("put-in-drawer", "sort-groceries", "swap", "press-buttons", "pick-place", "close-jar")


def episode(task: str = "put-in-drawer", seed: int = 3, **changes: object) -> Episode:
    """As the expert's recording tells it: a step every 40 frames, released ten frames before the next."""
    case = Case("tabletop", task, seed, "front")
    setting = draw(case)
    length = 40 * len(setting.steps)
    opening = np.ones(length + 1)
    if task != "press-buttons":
        for number in range(len(setting.steps)):
            opening[40 * number + 10 : 40 * number + 30] = 0.4
    proprio = np.zeros((length + 1, 8), np.float32)
    proprio[:, 7] = opening
    events = [[40 * number, "subtask", step.text] for number, step in enumerate(setting.steps)]
    text = {"succeeded": True, "steps": length, "events": [*events, [5, "keypose", "above"]]}
    arrays = {"proprio": proprio, "rgb.front": np.zeros((length + 1, 8, 8, 3), np.uint8)}
    arrays["rgb.front"][:, 0, 0, 0] = np.arange(length + 1) % 256
    given = {"index": 0, "case": case, "instruction": setting.instruction, "length": length} | changes
    return Episode(text=given.pop("text", text), arrays=given.pop("arrays", arrays), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def talks() -> list[tuple[TaskStory, SceneActions, Conversation]]:
    found = []
    for task in TASKS:
        for seed in range(4):
            each = episode(task, seed)
            story = story_of(each)
            scene = scene_actions(each.case, story.texts)
            found += [(story, scene, said) for said in conversations(each)]
    return found


def test_every_done_step_comes_before_every_step_to_do(talks) -> None:
    assert len(talks) > 150
    for story, _, said in talks:
        lists = read_task_lists(said.exchanges[0][1])
        assert lists == said.lists
        assert (*lists.done, *lists.to_do) == story.texts
        assert read_progress(said.exchanges[1][1]) == Progress(len(lists.done), not lists.to_do)
        assert talk.read_next(said.exchanges[2][1]) == (lists.to_do[0] if lists.to_do else None)


def test_frames_show_what_is_said_of_them(talks) -> None:
    """A step that is said to be done was let go before, one that is to do is not finished yet."""
    for story, _, said in talks:
        done = story.steps[: len(said.lists.done)]
        to_do = story.steps[len(said.lists.done) :]
        assert all(step.stop - 10 <= said.frame for step in done)
        assert all(said.frame < step.stop for step in to_do)


def test_possible_actions_are_not_asked_for_and_name_what_is_there(talks) -> None:
    for story, scene, said in talks:
        assert set(said.lists.possible) <= set(scene.possible)
        assert not set(said.lists.possible) & set(story.texts)


def test_wrong_commands_never_name_a_feasible_step(talks) -> None:
    for story, scene, said in talks:
        feasible = {*story.texts, *scene.possible}
        assert not feasible & {wrong.text for wrong in scene.wrong}
        if said.order is not None and said.order.kind == "absent":
            assert not any(action in said.order.said.lower() for action in feasible)
            assert said.order.answer.startswith("I cannot do that: there is no ")


@pytest.mark.parametrize("task", TASKS)
def test_what_is_called_absent_is_absent(task) -> None:
    for seed in range(5):
        case = Case("tabletop", task, seed, "front")
        things = draw(case).things
        there = {" ".join(filter(None, (thing.colour, thing.kind))) for thing in things}
        there |= {thing.kind for thing in things}
        scene = scene_actions(case, [step.text for step in draw(case).steps])
        assert scene.wrong
        assert not there & {wrong.thing for wrong in scene.wrong}
        for kind, words in scene.alike:
            assert len(set(words)) == len([thing for thing in things if thing.kind == kind]) > 1


def test_commands_are_answered_as_they_deserve(talks) -> None:
    kinds = Counter(said.order.kind for _, _, said in talks if said.order is not None)
    assert set(kinds) == set(COMMANDS)
    for _, scene, said in talks:
        order = said.order
        assert order is not None
        match order.kind:
            case "changed":
                assert talk.read_agreed(order.answer) == order.to_do
                assert all(action in order.said for action in order.to_do)
            case "stopped":
                assert talk.read_agreed(order.answer) == order.to_do == ()
            case "vague":
                assert talk.read_next(order.answer) == (order.to_do[0] if order.to_do else None)
            case "vague thing":
                assert all(
                    thing in order.answer
                    for kind, words in scene.alike
                    if kind in order.said
                    for thing in words
                )
            case "done":
                assert order.answer.startswith("That is done already. ")
        if order.kind not in ("changed", "stopped"):
            assert order.to_do == said.lists.to_do


def test_edited_lists_keep_the_order_of_what_stays() -> None:
    lists = TaskLists((), ("a", "b", "c"), ("x", "y"))
    seen = set()
    for seed in range(60):
        found = edited(lists, np.random.default_rng(seed))
        own = [action for action in found if action in lists.to_do]
        assert own == list(lists.to_do)[: len(own)]
        assert set(found) <= {*lists.to_do, *lists.possible}
        assert len(set(found)) == len(found)
        assert found != lists.to_do
        seen.add(found)
    assert len(seen) > 10
    with pytest.raises(UsageError, match="nothing can be left out"):
        edited(TaskLists(("a",), ("b",)), np.random.default_rng(0))


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    first, again = conversations(episode()), conversations(episode())
    assert first == again
    assert conversations(episode(), ConversationConfig(seed=1)) != first
    assert len({said.name for said in first}) == len(first)


def test_key_frames_are_extended_after_a_release_and_up_to_the_next_change() -> None:
    story = story_of(episode("put-in-drawer"))
    first, second, *_, last = story.keyframes
    assert (first.frame, first.first, first.done) == (0, 0, 0)
    assert 0 < first.last <= 4, "the gripper closes in frame 10 or so"
    assert second.frame == 40
    assert second.first == 40 - int(0.6 * 11), "it began to open in frame 29"
    assert last.frame == last.last == 40 * len(story.steps)
    assert last.done == len(story.steps)
    presses = story_of(episode("press-buttons", 1))
    assert all(key.first == key.frame for key in presses.keyframes), "no release says that a press is over"
    narrow = story_of(episode("put-in-drawer"), 0.0, 0.0)
    assert all(key.first == key.last == key.frame for key in narrow.keyframes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": {"succeeded": False}}, "did not reach its goal"),
        ({"text": {"events": [[3, "instruction", "put it down"]]}}, "instruction changed"),
        ({"text": {"events": [[0, "subtask", "a"], [500, "subtask", "b"]]}}, "one after the other"),
        ({"arrays": {}}, "need the key 'proprio'"),
    ],
)
def test_episodes_without_a_story_say_why(changes, message) -> None:
    with pytest.raises(DataError, match=message):
        story_of(episode(**changes))


def test_an_episode_of_another_environment_is_one_step() -> None:
    case = Case("metaworld", "door-open", 0, "corner")
    plain = episode(case=case, instruction="open the door", text={"succeeded": True})
    said = conversations(plain)
    assert {each.lists.to_do or each.lists.done for each in said} == {("open the door",)}
    assert all(each.lists.possible == () for each in said)


@pytest.mark.parametrize(("form", "read"), [("llava", read_llava), ("ms-swift", read_swift)])
def test_records_are_written_with_their_pictures(tmp_path, form, read) -> None:
    info = DatasetInfo(("put-in-drawer",), ("front",), 20.0)
    store = EpisodeStore.create(tmp_path / "data", info)
    store.append(episode())
    failed = episode(seed=4)
    store.append(episode(seed=4, text={**failed.text, "succeeded": False}))
    counts = write_conversations(store, "front", tmp_path / "talks", form=form)
    lines = (tmp_path / "talks" / "conversations.jsonl").read_text().splitlines()
    talks = [read(line) for line in lines]
    assert counts["left out"] == 1
    assert sum(counts.values()) - 1 == len(talks) == len(conversations(episode()))
    assert all((tmp_path / "talks" / said.image).is_file() for said in talks)
    assert [said.exchanges for said in talks] == [said.exchanges for said in conversations(episode())]
    assert json.loads((tmp_path / "talks" / "conversations.json").read_text())["form"] == form


def test_wrong_settings_are_named() -> None:
    with pytest.raises(UsageError, match="frames >= 1"):
        ConversationConfig(frames=0)
