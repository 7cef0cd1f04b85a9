"""Scores of replies: failures count, constants are the baseline, intervals and files hold together."""

import math

import numpy as np
import pytest

from kinesight.evaluation.spatial_questions import (
    TASKS,
    BoxTruth,
    ChoiceTruth,
    DepthTruth,
    InsideTruth,
    MetresTruth,
    PathTruth,
    ProgressTruth,
    Question,
    RegionTruth,
    SentenceTruth,
    SpotTruth,
    Truth,
)
from kinesight.evaluation.spatial_score import (
    ScoreRow,
    SpatialScore,
    format_score,
    read_score,
    score,
    write_score,
)
from kinesight.evaluation.statistics import wilson_interval
from kinesight.language.dialects.answers import (
    Progress,
    write_choice,
    write_depth_offsets,
    write_metres,
    write_progress,
)
from kinesight.language.dialects.catalogue import dialect, write
from kinesight.language.dialects.codec import without_uncarried
from kinesight.types.errors import DataError, UnknownName
from kinesight.types.spatial import Answer, ImageBox, ImagePath, ImagePoint, ImageSize

SIZE = ImageSize(60, 80)
OPTIONS = ("left", "right")


def region(generator: np.random.Generator) -> RegionTruth:
    mask = np.zeros((60, 80), bool)
    y, x = generator.integers(0, 40, 2)
    mask[y : y + 15, x : x + 20] = True
    return RegionTruth(mask)


def truths(kind: type, count: int) -> list[Truth]:
    generator = np.random.default_rng(5)
    made: list[Truth] = []
    for number in range(count):
        low, high = np.sort(generator.random((2, 2)), axis=0).tolist()
        path = ImagePath(generator.random((8, 2)), 0.5 + generator.random(8))
        progress = Progress(int(generator.integers(0, 4)), number % 5 == 0)
        made.append(
            {
                RegionTruth: region(generator),
                InsideTruth: InsideTruth(ImageBox(*low, *high)),
                SpotTruth: SpotTruth(ImagePoint(*low)),
                BoxTruth: BoxTruth(ImageBox(*low, *high)),
                PathTruth: PathTruth(path),
                DepthTruth: DepthTruth(0.5 + generator.random(8)),
                MetresTruth: MetresTruth(0.5 + 0.04 * number),
                ChoiceTruth: ChoiceTruth(int(number % 4 == 0), OPTIONS),
                ProgressTruth: ProgressTruth(progress),
                SentenceTruth: SentenceTruth(f"pick up the {('red', 'green', 'blue')[number % 3]} cup"),
            }[kind]
        )
    return made


def questions(kind: type, group: str = "all") -> list[Question]:
    count = 8 if kind is PathTruth else 24  # each path is compared with each other one
    return [Question(f"{group}/{i}", SIZE, truth, group) for i, truth in enumerate(truths(kind, count))]


def said(value, truth: Truth, name: str) -> str:
    match truth:
        case ChoiceTruth():
            return write_choice(value, truth.options)
        case ProgressTruth():
            return write_progress(value)
        case SentenceTruth():
            return value
        case DepthTruth():
            return write_depth_offsets(value)
        case MetresTruth():
            return write_metres(value)
    answer: Answer = value
    return write(without_uncarried(answer, dialect(name)), SIZE, name)


def right_answers(asked: list[Question], name: str) -> dict[str, str]:
    return {
        question.name: said(TASKS[type(question.truth)].constant(question.truth), question.truth, name)
        for question in asked
    }


def rows(result: SpatialScore) -> dict[str, ScoreRow]:
    return {row.metric: row for row in result.rows}


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", ["json", "qwen3-vl"])
def test_right_answers_score_nearly_perfectly_and_beat_every_constant(kind: type, name: str):
    asked = questions(kind)
    result = score(right_answers(asked, name), asked, name)
    assert not result.failures
    assert result.rows
    for row in result.rows:
        assert (row.read, row.questions) == (len(asked), len(asked)) or row.metric.startswith("offset_ratio")
        if row.higher_is_better:
            # Centimetres, as written, are coarse for the smallest offsets.
            assert row.value > (0.85 if row.metric.startswith("offset_ratio") else 0.97), row
            assert row.low <= row.value <= row.high + 1e-12
        else:
            assert row.value < {"px": 0.2, "cm": 0.5, "thousandths": 6, "steps": 0.1}[row.unit], row
        if row.baseline != (1.0 if row.higher_is_better else 0.0) and "ratio" not in row.metric:
            assert row.beats_baseline, row
        assert "\n" in format_score(result)


@pytest.mark.parametrize("kind", TASKS)
def test_the_best_constant_does_not_beat_itself(kind: type):
    asked = questions(kind)
    constant = TASKS[kind].constant(asked[3].truth)
    replies = {question.name: said(constant, question.truth, "json") for question in asked}
    for row in score(replies, asked, "json").rows:
        assert not row.beats_baseline, row
        better = row.value - row.baseline if row.higher_is_better else row.baseline - row.value
        assert better <= 1e-3, "the baseline is the best of all true answers, so at least this one"


def test_the_baseline_of_a_choice_is_the_majority():
    asked = questions(ChoiceTruth)
    row = rows(score({q.name: "A" for q in asked}, asked, "json"))["accuracy"]
    assert row.value == row.baseline == 18 / 24
    limits = wilson_interval(18, 24)
    assert (row.low, row.high, row.interval) == (limits.low, limits.high, "wilson")
    progress = questions(ProgressTruth)
    status = rows(score({}, progress, "json"))["status_accuracy"]
    assert status.baseline == 19 / 24


def test_what_cannot_be_read_counts_as_nothing_and_is_told():
    asked = questions(BoxTruth)
    replies = right_answers(asked, "json")
    for question in asked[:6]:
        replies[question.name] = "I cannot see it."
    del replies[asked[6].name]
    replies[asked[7].name] = right_answers(asked, "xml")[asked[7].name]
    result = score(replies, asked, "json")
    row = rows(result)["iou@0.5"]
    assert (row.value, row.read, row.questions) == (16 / 24, 16, 24)
    assert len(result.failures) == 8
    assert result.failures[6].reason == "no reply"
    assert result.looks_like == {"xml": 1}
    text = format_score(result)
    assert "16/24" in text
    assert "8 replies were not read as json" in text
    assert "1 of them read as xml" in text


def test_errors_are_averaged_over_what_was_read_and_say_so():
    asked = questions(SpotTruth)
    replies = right_answers(asked, "json")
    replies[asked[0].name] = "?"
    result = rows(score(replies, asked, "json"))
    assert result["med"].read == 23
    assert result["med"].value < 0.1
    assert result["med"].high < result["med"].baseline
    assert not result["med"].beats_baseline, "the reply that was not read may have been the hard one"
    assert result["sr@5px"].beats_baseline
    assert result["sr@5px"].value == 23 / 24
    nothing = rows(score({}, asked, "json"))
    assert math.isnan(nothing["med"].value)
    assert not nothing["med"].beats_baseline
    assert math.isnan(nothing["med"].baseline)
    assert nothing["sr@40px"].value == 0
    single = rows(score(right_answers(asked[:1], "json"), asked[:1], "json"))["med"]
    assert math.isnan(single.low)
    assert not single.beats_baseline


def test_more_than_one_answer_is_no_answer():
    asked = questions(BoxTruth)[:1]
    box = ImageBox(0.1, 0.1, 0.2, 0.2)
    result = score({asked[0].name: write((box, box), SIZE, "json")}, asked, "json")
    assert "one of the boxes, got '2 of them'" in result.failures[0].reason


def test_depths_are_asked_of_dialects_that_have_a_place_for_them():
    asked = questions(PathTruth)
    assert "mad" in rows(score(right_answers(asked, "json"), asked, "json"))
    assert "mad" not in rows(score(right_answers(asked, "st-vla"), asked, "st-vla"))
    flat = {question.name: write(ImagePath(question.truth.path.points), SIZE, "json") for question in asked}
    result = score(flat, asked, "json")
    assert len(result.failures) == len(asked)
    assert "depths along the path" in result.failures[0].reason


def test_groups_and_kinds_have_their_own_rows():
    asked = [*questions(ChoiceTruth, "a"), *questions(ChoiceTruth, "b"), *questions(SpotTruth, "b/points")]
    result = score(right_answers(asked, "json"), asked, "json")
    assert [(row.group, row.metric) for row in result.rows][:3] == [
        ("a", "accuracy"),
        ("b", "accuracy"),
        ("b/points", "med"),
    ]


def test_answers_of_unequal_length_do_not_stop_the_baseline():
    asked = [
        Question("a", SIZE, DepthTruth(np.linspace(1, 2, 8))),
        Question("b", SIZE, DepthTruth(np.linspace(1, 2, 5))),
    ]
    result = rows(score({}, asked, "json"))
    assert result["ratio@5%"].baseline == 0.5
    assert math.isnan(result["mad"].baseline)


def test_a_score_comes_back_from_its_file(tmp_path):
    asked = [*questions(SpotTruth), *questions(RegionTruth, "free")]
    replies = right_answers(asked, "hamster")
    replies[asked[0].name] = "?"
    for answers in (replies, {}):
        result = score(answers, asked, "hamster")
        back = read_score(write_score(tmp_path / "score.json", result))
        assert repr(back) == repr(result)  # NaN differs from itself
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match=r"other\.json"):
        read_score(tmp_path / "other.json")
    with pytest.raises(DataError, match=r"Cannot read .*none\.json"):
        read_score(tmp_path / "none.json")


def test_wrong_use_is_named():
    asked = questions(ChoiceTruth)
    with pytest.raises(UnknownName, match="Did you mean 'robopoint'"):
        score({}, asked, "robopoints")
    with pytest.raises(DataError, match="no question"):
        score({}, [], "json")
    with pytest.raises(DataError, match="must be unique, 'all/0'"):
        score({}, [*asked, *asked], "json")
    with pytest.raises(DataError, match="belong to no question, such as 'x'"):
        score({"x": "A"}, asked, "json")
    with pytest.raises(ValueError, match="hit by no answer"):
        RegionTruth(np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="one of the 2"):
        ChoiceTruth(2, OPTIONS)
