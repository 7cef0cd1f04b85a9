"""Lists of actions, the robot's sentences, talks as records: what is written is read again, and only that."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.language import task_talk as talk
from kinesight.language.dialects.answers import AnswerError
from kinesight.language.dialects.dialogue import (
    Dialogue,
    Turn,
    dialogue,
    read_llava,
    read_swift,
    write_llava,
    write_swift,
)
from kinesight.language.dialects.records import read_conversation, read_messages
from kinesight.language.task_lists import (
    TaskLists,
    read_actions,
    read_task_lists,
    write_actions,
    write_task_lists,
)
from kinesight.types.errors import UsageError

laws = settings(max_examples=30, deadline=None)
WORD = st.sampled_from(["put", "the", "red", "cube", "into", "box", "open", "drawer", "press", "2"])
ACTION = st.lists(WORD, min_size=1, max_size=6).map(" ".join)
ACTIONS = st.lists(ACTION, max_size=4, unique=True)


@laws
@given(ACTIONS, ACTIONS, ACTIONS)
def test_lists_come_back(done, to_do, more):
    possible = [action for action in more if action not in {*done, *to_do}]
    lists = TaskLists(tuple(done), tuple(to_do), tuple(possible))
    assert read_task_lists(write_task_lists(lists)) == lists


@pytest.mark.parametrize(
    "text",
    [
        "Done: nothing.\nTo do: nothing.",
        "Done: nothing.\nTo do: a\nPossible: nothing.",
        "To do: a.\nDone: nothing.\nPossible: nothing.",
        "Done: a.\nTo do: b.\nPossible: b.",
        "Done: a;b.\nTo do: c.\nPossible: nothing.",
        "Done: a; nothing.\nTo do: c.\nPossible: nothing.",
        "Sure! Done: a.\nTo do: b.\nPossible: nothing.",
        "Done: a.\nTo do: b.\nPossible: nothing.\nThat is all.",
        "",
    ],
)
def test_other_lists_are_refused(text):
    with pytest.raises(AnswerError, match=r"task lists|actions"):
        read_task_lists(text)


@pytest.mark.parametrize("action", ["", "nothing", "a; b", "a.", " a", "a\nb"])
def test_what_would_not_come_back_is_not_written(action):
    with pytest.raises(UsageError, match="an action is a sentence"):
        TaskLists((action,), ())


@laws
@given(ACTIONS)
def test_what_comes_next_and_what_was_agreed_come_back(actions):
    assert talk.read_next(talk.write_next(actions)) == (actions[0] if actions else None)
    assert talk.read_agreed(talk.write_agreed(actions)) == tuple(actions)
    assert read_actions(write_actions(actions)) == tuple(actions)


@pytest.mark.parametrize("text", ["Next: .", "next: open.", "Next: open", "open.", "Next: a; b.", ""])
def test_other_next_actions_are_refused(text):
    with pytest.raises(AnswerError, match="next action"):
        talk.read_next(text)
    with pytest.raises(AnswerError):
        talk.read_agreed(text)


def test_answers_to_wrong_and_vague_commands_say_why():
    assert talk.write_absent("red mug", ["open the drawer"]).startswith(
        "I cannot do that: there is no red mug"
    )
    assert talk.write_absent("red mug", ["open the drawer"]).endswith("Next: open the drawer.")
    assert talk.write_already([]).endswith(talk.IDLE)
    assert talk.write_which(["the red cube", "the blue cube"]).endswith("the red cube or the blue cube?")
    with pytest.raises(UsageError, match="only one of several"):
        talk.write_which(["the red cube"])
    assert talk.in_order(["a", "b", "c"]) == "first a, then b, then c"


def test_templates_have_the_places_that_they_are_filled_at():
    filled = {"task": "t", "list": "l", "kind": "k", "action": "a"}
    for name, templates in talk.TEMPLATES.items():
        assert len(templates) >= 3, name
        assert len({template.format(**filled) for template in templates}) == len(templates)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text.strip() and "<image>" not in text
)


@laws
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_talks_come_back_from_both_forms(exchanges):
    said = dialogue("n-1", "images/a.png", exchanges)
    assert said.exchanges == tuple(exchanges)
    assert read_llava(write_llava(said)) == said
    assert read_swift(write_swift(said)) == Dialogue("", said.image, said.turns)


def test_a_talk_of_two_turns_is_what_the_single_readers_read():
    said = dialogue("", "a.png", [("Which action comes next?", "Next: open the drawer.")])
    for prompt, answer in (read_conversation(write_llava(said)), read_messages(write_swift(said))):
        assert (prompt.question, prompt.image) == ("Which action comes next?", "a.png")
        assert answer == "Next: open the drawer."


def test_only_the_first_turn_shows_the_picture():
    said = dialogue("", "a.png", [("a", "b"), ("c", "d")])
    assert write_llava(said).count("<image>") == write_swift(said).count("<image>") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["conversations"].pop(), "in turn"),
        (lambda r: r["conversations"].reverse(), "first turn|in turn"),
        (lambda r: r["conversations"][0].update(value="no picture"), "begins with <image>"),
        (lambda r: r["conversations"][1].update({"from": "robot"}), "turns of human and gpt"),
        (lambda r: r["conversations"][2].update(value="<image>\nagain"), "one picture"),
        (lambda r: r.update(more=1), "'more'"),
        (lambda r: r.pop("image"), "'image'"),
        (lambda r: r["conversations"][1].update(value=3), "as a string"),
    ],
)
def test_other_records_are_refused(change, message):
    record = json.loads(write_llava(dialogue("x", "a.png", [("a", "b"), ("c", "d")])))
    change(record)
    with pytest.raises(AnswerError, match=message):
        read_llava(json.dumps(record))


def test_swift_records_have_one_picture():
    record = json.loads(write_swift(dialogue("", "a.png", [("a", "b")])))
    record["images"].append("b.png")
    with pytest.raises(AnswerError, match="one picture"):
        read_swift(json.dumps(record))
    with pytest.raises(AnswerError, match="JSON"):
        read_swift("no record")


def test_turns_alternate():
    with pytest.raises(UsageError, match="the user first"):
        Dialogue("", "a.png", (Turn("assistant", "a"), Turn("user", "b")))
    with pytest.raises(UsageError, match="holds words"):
        Turn("user", " ")
