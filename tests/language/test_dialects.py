"""Laws of the coordinate dialects: round trips, foreign text is recognised, no reply breaks a reader."""

import json
import os
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.language.dialects import codec
from kinesight.language.dialects.catalogue import DIALECTS, dialect, qwen25_with_budget, read, write
from kinesight.language.dialects.codec import DialectError, census, recognise, without_uncarried
from kinesight.language.dialects.grid import smart_resize
from kinesight.language.dialects.records import read_conversation, read_messages
from kinesight.language.dialects.sketch import Prompt
from kinesight.types.errors import UnknownName, UsageError
from kinesight.types.spatial import (
    KINDS,
    Answer,
    GripperEvent,
    ImageBox,
    ImagePath,
    ImagePoint,
    ImageSize,
    Kind,
    kind_of,
)

MUTATED_REPLIES = int(os.environ.get("KINESIGHT_MUTATED_REPLIES", "300"))
"""The suite checks this many; 100000 is the full check."""
laws = settings(max_examples=10, deadline=None)
SIZE = ImageSize(480, 640)
FORMS = [(name, kind) for name in DIALECTS for kind in KINDS if kind in DIALECTS[name].grammar.kinds]

share = st.floats(0, 1)
label = st.text("abc XYZé杯\"'<>&\\{}[]|_-", max_size=12).map(lambda text: text.strip().replace("<|", ""))
sides = st.integers(60, 2000)
# Raw values; the types are made in the tests, because checking shapes draws random numbers.
raw = {
    "points": st.lists(st.tuples(share, share, label), min_size=1, max_size=4),
    "boxes": st.lists(st.tuples(share, share, share, share, label), min_size=1, max_size=3),
    "path": st.tuples(
        st.lists(st.tuples(share, share), min_size=8, max_size=8),
        st.none() | st.lists(st.floats(0.001, 9), min_size=8, max_size=8),
        st.dictionaries(st.integers(0, 7), st.booleans(), max_size=3),
    ),
}


def made(kind: Kind, values) -> Answer:
    if kind == "points":
        return tuple(ImagePoint(x, y, name) for x, y, name in values)
    if kind == "boxes":
        return tuple(
            ImageBox(min(a, b), min(c, d), max(a, b), max(c, d), name) for a, b, c, d, name in values
        )
    xy, depth_m, events = values
    return ImagePath(
        np.array(xy),
        None if depth_m is None else np.array(depth_m),
        tuple(GripperEvent(index, events[index]) for index in sorted(events)),
    )


def coordinates(answer: Answer) -> np.ndarray:
    if isinstance(answer, ImagePath):
        return answer.points
    return np.array([mark.xy if isinstance(mark, ImagePoint) else mark.edges for mark in answer])


def sample(kind: Kind, seed: int = 0) -> Answer:
    generator = np.random.default_rng(seed)
    if kind == "points":
        return tuple(ImagePoint(*map(float, generator.random(2)), name) for name in ("red mug", ""))
    if kind == "boxes":
        low, high = np.sort(generator.random((2, 2)), axis=0)
        return (ImageBox(*map(float, (*low, *high)), "red mug"),)
    events = (GripperEvent(2, False), GripperEvent(7, True))
    return ImagePath(generator.random((8, 2)), 0.5 + generator.random(8), events)


def said(name: str, kind: Kind, size: ImageSize = SIZE, seed: int = 0) -> str:
    prompt = Prompt("Where is the mug?", "pictures/1.png")
    return write(without_uncarried(sample(kind, seed), dialect(name)), size, name, prompt)


@pytest.mark.parametrize(("name", "kind"), FORMS)
@laws
@given(data=st.data(), height=sides, width=sides)
def test_round_trip_is_exact_to_half_a_unit(name: str, kind: Kind, data, height: int, width: int):
    spoken, size = dialect(name), ImageSize(height, width)
    answer = without_uncarried(made(kind, data.draw(raw[kind])), spoken)
    text = write(answer, size, name)
    back = read(text, kind, size, name)
    extent = np.resize(np.array(spoken.grid.extent(size)), coordinates(answer).shape)
    error = np.abs(coordinates(back) - coordinates(answer)) * extent
    # In the last unit that a dialect spares, a place comes back up to a whole unit off.
    edge = coordinates(answer) * extent > extent - spoken.grid.spare
    assert (error <= np.where(edge, spoken.grid.spare, spoken.grid.half_unit) + 1e-9).all()
    if isinstance(answer, ImagePath) and isinstance(back, ImagePath):
        assert back.events == answer.events
        if answer.depth_m is not None:
            np.testing.assert_allclose(back.depth_m, answer.depth_m, atol=0.00051)
    elif not isinstance(back, ImagePath) and not isinstance(answer, ImagePath):
        assert [mark.label for mark in back] == [mark.label for mark in answer]
    assert write(back, size, name) == text, "a written answer is a fixed point"


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("qwen2.5-vl", "points", '[{"point_2d": [321, 120], "label": "cup"}]'),
        ("qwen2.5-vl", "boxes", '```json\n[{"bbox_2d": [1, 2, 300, 400], "label": "a"}]\n```'),
        ("qwen3-vl", "points", '[{"point_2d": [1000, 0]}]'),
        ("qwen2.5-vl-xml", "points", '<points x1="37" y1="26" x2="80" y2="9" alt="pin">pin</points>'),
        (
            "qwen2-vl",
            "boxes",
            "<|object_ref_start|>a dog<|object_ref_end|><|box_start|>(221,423),(569,886)<|box_end|>",
        ),
        ("qwen2-vl", "points", "<|box_start|>(246,113)<|box_end|>"),
        ("robopoint", "points", "[(0.461, 0.527), (0.498, 0.521), (0.481, 0.521), (0.445, 0.529)]"),
        (
            "hamster",
            "path",
            "<ans>[(0.252, 0.328), <action>Open Gripper</action>, (0.746, 0.218),"
            " <action>Close Gripper</action>]</ans>",
        ),
        (
            "peek",
            "path",
            "TRAJECTORY: <ans>[(0.25, 0.32), (0.32, 0.17)]</ans> MASK: <ans>[(0.25, 0.32)]</ans>",
        ),
        (
            "st-vla",
            "path",
            "<answer_start> [(643,367), (696,470),(1,2),(1,2),(1,2),(1,2),(1,2),(0,1000)] <answer_end>",
        ),
        (
            "ms-swift-real",
            "points",
            '{"messages": [{"role": "system", "content": "Help."}, {"role": "user", "content": "<image>Go"},'
            ' {"role": "assistant", "content": "<bbox>"}], "images": ["x.jpg"],'
            ' "objects": {"ref": [], "bbox": [[615, 226]]}}',
        ),
        (
            "llava",
            "points",
            '{"id": "a", "image": "a.png", "conversations": [{"from": "human", "value": "<image>\\nWhere?"},'
            ' {"from": "gpt", "value": "[(0.461, 0.527), (0.498, 0.521)]"}]}',
        ),
    ],
)
def test_published_forms_are_read(name: str, kind: Kind, text: str):
    assert kind_of(read(text, kind, SIZE, name)) == kind


def test_numbers_mean_what_each_dialect_says():
    half = (ImagePoint(0.5, 0.25, ""),)
    forms = {
        "qwen2.5-vl": '[{"point_2d": [322, 119]}]',  # 640 x 480 becomes 644 x 476
        "qwen3-vl": '[{"point_2d": [500, 250]}]',
        "qwen2-vl": "<|box_start|>(500,250)<|box_end|>",
        "robopoint": "[(0.500, 0.250)]",
        "hamster": "<ans>[(0.50, 0.25)]</ans>",
        "st-vla": "<answer_start>[(500,250)]<answer_end>",
        "json": '[{"point_2d": [0.5000, 0.2500]}]',
    }
    for name, text in forms.items():
        assert write(half, SIZE, name) == text
        assert read(text, "points", SIZE, name) == half


@pytest.mark.parametrize(
    ("height", "width", "budget", "expected"),
    # Measured with the image processor of transformers 5.23.
    [
        (480, 640, (3136, 1003520), (476, 644)),
        (128, 128, (3136, 1003520), (140, 140)),
        (256, 256, (3136, 1003520), (252, 252)),
        (1080, 1920, (3136, 1003520), (728, 1316)),
        (40, 40, (3136, 1003520), (56, 56)),
        (30, 400, (3136, 1003520), (28, 392)),
        (3000, 4000, (3136, 1003520), (840, 1148)),
        (480, 640, (784, 50176), (168, 252)),
        (14, 14, (784, 50176), (28, 28)),
        (42, 70, (784, 50176), (56, 56)),
    ],
)
def test_smart_resize_agrees_with_the_reference(height, width, budget, expected):
    resized = smart_resize(ImageSize(height, width), 28, *budget)
    assert (resized.height, resized.width) == expected


@laws
@given(st.integers(1, 4000), st.integers(1, 4000))
def test_smart_resize_keeps_its_budget(height: int, width: int):
    if max(height, width) > 200 * min(height, width):
        with pytest.raises(UsageError, match="200:1"):
            smart_resize(ImageSize(height, width), 28, 3136, 1003520)
        return
    resized = smart_resize(ImageSize(height, width), 28, 3136, 1003520)
    assert resized.height % 28 == 0
    assert resized.width % 28 == 0
    if max(height, width) < 20 * min(height, width):  # beyond that, the shorter side is held at one square
        assert 3136 <= resized.height * resized.width <= 1003520


def test_the_pixel_budget_changes_what_pixels_mean():
    small = qwen25_with_budget(28 * 28, 224 * 224)
    assert codec.write((ImagePoint(1.0, 1.0),), SIZE, small) == '[{"point_2d": [252, 168]}]'


def refusal(text: str, kind: Kind, name: str) -> DialectError | None:
    try:
        read(text, kind, SIZE, name)
    except DialectError as error:
        return error
    return None


def shares_grammar(first: str, second: str) -> bool:
    return dialect(first).grammar == dialect(second).grammar


@pytest.mark.parametrize(("name", "kind"), FORMS)
def test_another_dialects_text_is_refused_and_named(name: str, kind: Kind):
    """Only dialects with one grammar can take each other's numbers, and only where the numbers fit both."""
    for writer in DIALECTS:
        if writer == name:
            continue
        kinds = dialect(writer).grammar.kinds
        theirs = kind if kind in kinds else kinds[0]
        text = said(writer, theirs)
        error = refusal(text, kind, name)
        if error is None:
            assert shares_grammar(writer, name), f"{name} took {writer}'s {text}"
        else:
            assert (writer, theirs) in error.looks_like
            assert f"{writer} {theirs}" in str(error)


def test_numbers_tell_apart_what_the_grammar_does_not():
    pixels, thousandths, shares = (said(name, "points") for name in ("qwen2.5-vl", "qwen3-vl", "json"))
    small = ImageSize(224, 224)
    with pytest.raises(DialectError, match=r"from 0 to 224 for x .*reads as qwen3-vl points"):
        read(thousandths, "points", small, "qwen2.5-vl")
    with pytest.raises(DialectError, match=r"reads as qwen2.5-vl points, qwen3-vl points"):
        read(pixels, "points", SIZE, "json")
    with pytest.raises(DialectError, match=r"whole numbers from 0 to 1000.*reads as json points"):
        read(shares, "points", SIZE, "qwen3-vl")
    wide = ImageSize(1080, 1920)
    with pytest.raises(DialectError, match=r"reads as qwen2.5-vl points"):
        read('[{"point_2d": [1500, 200]}]', "points", wide, "qwen3-vl")


def test_a_file_of_replies_tells_what_one_reply_does_not():
    wide = ImageSize(1080, 1920)
    replies = [(said("qwen2.5-vl", "points", wide, seed), wide) for seed in range(30)]
    counts = census(replies, DIALECTS)
    assert counts["qwen2.5-vl", "points"] == 30
    assert 0 < counts["qwen3-vl", "points"] < 30


def test_the_right_dialect_with_the_wrong_kind_is_named():
    with pytest.raises(DialectError, match=r"qwen3-vl points: .*reads as .*qwen3-vl boxes"):
        read(said("qwen3-vl", "boxes"), "points", SIZE, "qwen3-vl")


@pytest.mark.parametrize(
    ("name", "kind", "text", "message"),
    [
        ("qwen3-vl", "points", "", "expected JSON"),
        ("qwen3-vl", "points", "[]", "one at least"),
        ("qwen3-vl", "points", 'Sure! [{"point_2d": [1, 2]}]', "expected JSON"),
        ("qwen3-vl", "points", '{"point_2d": [1, 2]}', "a list of point_2d objects"),
        ("qwen3-vl", "points", '[{"point_2d": [1, 2, 3]}]', "a list of 2"),
        ("qwen3-vl", "points", '[{"point_2d": ["1", "2"]}]', "of numbers"),
        ("qwen3-vl", "points", '[{"point_2d": [true, 2]}]', "of numbers"),
        ("qwen3-vl", "points", '[{"point_2d": [NaN, 2]}]', "finite numbers"),
        ("qwen3-vl", "points", '[{"point_2d": [1e2, 2]}]', "a number such as 12"),
        ("qwen3-vl", "points", '[{"point_2d": [1001, 2]}]', "whole numbers from 0 to 1000 for x"),
        ("qwen3-vl", "points", '[{"point_2d": [1, -2]}]', "from 0 to 1000 for y"),
        ("qwen3-vl", "points", '[{"point_2d": [' + "9" * 5000 + ", 2]}]", "a number such as 12"),
        ("qwen3-vl", "points", "[" * 15000, "nested too deeply"),
        ("qwen3-vl", "points", "[" * 30000, "at most 20000 characters"),
        ("qwen3-vl", "points", '[{"point_2d": [1, 2], "point_2d": [3, 4]}]', "every key once"),
        ("qwen3-vl", "points", '[{"point_2d": [1, 2], "colour": "red"}]', "with 'colour'"),
        ("qwen3-vl", "points", '[{"label": "red"}]', "without 'point_2d'"),
        ("qwen3-vl", "points", '[{"point_2d": [1, 2], "label": 3}]', "label as a string"),
        ("qwen3-vl", "points", '[{"point_2d": [1, 2], "label": "a\\nb"}]', "one printable line"),
        ("qwen3-vl", "boxes", '[{"bbox_2d": [5, 2, 1, 4]}]', "from left-top to right-bottom"),
        ("json", "path", '{"path_2d": [[0, 1]], "depth_m": [0]}', "metres above 0"),
        ("json", "path", '{"path_2d": [[0, 1]], "depth_m": [1, 2]}', "one a point"),
        ("json", "path", '{"path_2d": [[0, 1]], "gripper": [{"point": 1, "action": "open"}]}', "points 0 …"),
        ("json", "path", '{"path_2d": [[0, 1]], "gripper": [{"point": 0, "action": "drop"}]}', "close or"),
        ("xml", "points", "<!DOCTYPE x><points></points>", "an element <points"),
        ("xml", "points", '<points x1="0.1" y1="0.2" alt="&bomb;">&bomb;</points>', "one of the entities"),
        ("xml", "points", '<points x1="0.1" y2="0.2" alt="a">a</points>', "attributes x1, y1"),
        ("xml", "points", '<points x1="0.1" y1="0.2" alt="a">b</points>', "alt equal"),
        ("xml", "points", '<points x1="0.1" x1="0.2" alt="a">a</points>', "every attribute once"),
        ("xml", "path", '<path x1="0.1" y1="0.2" z1="1" x2="1" y2="1"></path>', "one a point, or none"),
        ("qwen2-vl", "boxes", "<|box_start|>(1,2),(3,4)<|box_end|> a dog", "expected <|box_start|>"),
        ("robopoint", "points", "[(0.5, 0.5), ]", "a list of tuples"),
        ("robopoint", "points", "[(0.5, 0.5) (0.1, 0.2)]", "a comma between tuples"),
        ("robopoint", "points", "[(0.5, 0.5, 0.5)]", "with 2 numbers each"),
        ("robopoint", "points", "[(٠.٥, 0.5)]", "a list of tuples"),
        ("robopoint", "points", "[(__import__('os'), 0.5)]", "a list of tuples"),
        ("hamster", "path", "<ans>[<action>Open Gripper</action>, (0.1, 0.2)]</ans>", "a point before"),
        ("peek", "path", "TRAJECTORY: <ans>[(0.1, 0.2)]</ans> MASK: <ans>[x]</ans>", "a list of tuples"),
        ("st-vla", "path", "<answer_start>[(1,2), (3,4)]<answer_end>", "exactly 8 points"),
        ("st-human", "path", said("ms-swift", "path"), "an object with traj_2d"),
    ],
)  # fmt: skip
def test_bad_replies_are_named(name: str, kind: Kind, text: str, message: str):
    with pytest.raises(DialectError) as caught:
        read(text, kind, SIZE, name)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 800


def test_what_a_dialect_has_no_place_for_is_refused_not_dropped():
    path = sample("path")
    with pytest.raises(UsageError, match="no place for depth, gripper in path"):
        write(path, SIZE, "robopoint")
    with pytest.raises(UsageError, match="'hamster' has no form for boxes; it has one for points, path"):
        write(sample("boxes"), SIZE, "hamster")
    with pytest.raises(UsageError, match="no form for boxes"):
        read("[]", "boxes", SIZE, "hamster")
    with pytest.raises(UsageError, match="exactly 8 points, got 2"):
        write(ImagePath(np.zeros((2, 2))), SIZE, "st-vla")
    with pytest.raises(UsageError, match=r"without '<\|'"):
        write((ImagePoint(0.0, 0.0, "a <| b"),), SIZE, "qwen2-vl")
    with pytest.raises(UsageError, match="a millimetre at least"):
        write(ImagePath(np.zeros((2, 2)), np.array([1.0, 1e-4])), SIZE, "json")
    with pytest.raises(UnknownName, match="Did you mean 'qwen3-vl'"):
        write(sample("points"), SIZE, "qwen3vl")


def test_records_keep_question_and_picture():
    prompt = Prompt('Where is <the> "mug"?', "a/b.png")
    points = sample("points")
    swift = write(points, SIZE, "ms-swift", prompt)
    llava = write(without_uncarried(points, dialect("llava")), SIZE, "llava", prompt)
    assert read_messages(swift)[0] == prompt
    assert read_conversation(llava)[0] == prompt
    record = json.loads(swift)
    assert record["objects"]["ref"] == ["red mug"]
    assert record["messages"][1]["content"] == "<ref-object><bbox><bbox>"
    trajectory = json.loads(said("st-human", "path"))["objects"]["traj_2d"]
    assert np.shape(trajectory) == (8, 2)
    assert max(map(max, trajectory)) > 1


def test_values_check_themselves():
    with pytest.raises(ValueError, match="inside the picture"):
        ImagePoint(1.2, 0.0)
    with pytest.raises(ValueError, match="inside the picture"):
        ImagePoint(float("nan"), 0.0)
    with pytest.raises(ValueError, match="left-top"):
        ImageBox(0.5, 0.0, 0.4, 1.0)
    with pytest.raises(ValueError, match="belong to points 0 … 1"):
        ImagePath(np.zeros((2, 2)), None, (GripperEvent(2, True),))
    with pytest.raises(ValueError, match="at least one pixel"):
        ImageSize(0, 3)
    with pytest.raises(ValueError, match="at least, got none"):
        kind_of(())
    assert sample("path") == sample("path") != replace(sample("path"), depth_m=None)


ODDITIES = ["NaN", "-0", "1e999", "9" * 30, "٣", "\ud800", "\0", "[" * 50]
ODDITIES += [*'{}()[]<>,"\\\n ', "&lt", "<ans>", "```", "<|"]


def mutated(text: str, others: list[str], chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        a, b = sorted(chance.randint(0, len(text)) for _ in range(2))
        match chance.randrange(7):
            case 0:
                text = text[:a] + text[b:]
            case 1:
                text = text[:a] + text[a:b] * chance.choice((2, 3, 40)) + text[b:]
            case 2:
                text = text[:a] + chance.choice(ODDITIES) + text[a:]
            case 3:
                text = (
                    text[:a]
                    + chr(chance.choice((chance.randrange(128), chance.randrange(0x3000))))
                    + text[a + 1 :]
                )
            case 4:
                other = chance.choice(others)
                text = text[:a] + other[chance.randint(0, len(other)) :]
            case 5:
                digits = [i for i, character in enumerate(text) if character.isdigit()]
                if digits:
                    where = chance.choice(digits)
                    text = text[:where] + chance.choice("0123456789.-") + text[where + 1 :]
            case _:
                text = chance.choice(("```json\n{}\n```", " {}\n", "Answer: {}", "{}{}")).replace("{}", text)
    return text[:25_000]


def test_every_mutated_reply_is_a_value_or_a_named_error():
    chance = random.Random(7)
    replies = [said(name, kind, seed=seed) for name, kind in FORMS for seed in range(3)]
    read_back = 0
    for _ in range(MUTATED_REPLIES):
        text = mutated(chance.choice(replies), replies, chance)
        name, kind = chance.choice(FORMS)
        for form in ((name, kind), *recognise(text, SIZE, DIALECTS)[:1]):
            try:
                answer = read(text, form[1], SIZE, form[0])
            except DialectError:
                continue
            read_back += 1
            assert kind_of(answer) == form[1]
            again = write(answer, SIZE, form[0])
            assert write(read(again, form[1], SIZE, form[0]), SIZE, form[0]) == again
    assert read_back > MUTATED_REPLIES // 50, "too few mutations survive for this to test the value branch"
