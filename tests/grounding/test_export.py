"""Records as text: what a writer wrote is read as the same answer and scores as the truth."""

import json

import numpy as np
import pytest

from kinesight.collection.grounding.export import export, training_record
from kinesight.data.ground_set import GroundItem, GroundSet
from kinesight.evaluation.ground_questions import ground_questions, truth_of
from kinesight.evaluation.spatial_questions import TASKS
from kinesight.evaluation.spatial_score import score
from kinesight.language.dialects import codec
from kinesight.language.dialects.catalogue import DIALECTS, dialect
from kinesight.language.ground_text import SPOKEN, answer_text, has_form, places, question_text
from kinesight.types.errors import UnknownName
from kinesight.types.ground import PathAnswer


def test_the_truth_scores_as_the_truth(small: GroundSet, items: list[GroundItem]):
    name = "qwen3-vl"
    questions = ground_questions(small.path, name, subset="train")
    assert len(questions) == len(small)
    said = dialect(name)
    replies = {item.record.name: answer_text(item.record.answer, item.frame.size, said) for item in items}
    result = score(replies, questions, name)
    assert result.failures == ()
    for row in result.rows:
        if row.metric == "iou":
            assert row.value > 0.95, row
        elif row.higher_is_better and "offset_ratio" not in row.metric:
            assert row.value == pytest.approx(1), row
        elif not row.higher_is_better:
            limit = {"px": 0.5, "thousandths": 9, "cm": 0.5}.get(row.unit, 0)
            assert row.value <= limit, row


def test_every_type_of_answer_has_a_truth(items: list[GroundItem]):
    truths = {
        type(truth_of(answer)) for answer in {type(i.record.answer): i.record.answer for i in items}.values()
    }
    assert truths <= set(TASKS)
    assert len(truths) == 8


@pytest.mark.parametrize("name", DIALECTS)
def test_exported_answers_read_back(items: list[GroundItem], name: str):
    said = dialect(name)
    read = 0
    for item in items[::5]:
        record, size = item.record, item.frame.size
        answer = places(record.answer)
        if answer is None or not has_form(record, said):
            continue
        made = training_record(record, size, said, "swift", "a.jpg")
        text = json.dumps(made) if name in SPOKEN else made["messages"][1]["content"]
        kind = (
            "path" if isinstance(record.answer, PathAnswer) else "boxes" if record.type == "box" else "points"
        )
        again = codec.read(text, kind, size, said)
        if isinstance(record.answer, PathAnswer):
            off = np.abs(again.points - record.answer.path.points) * (size.width, size.height)
        else:
            fields = ("left", "top", "right", "bottom") if kind == "boxes" else ("x", "y")
            off = np.array(
                [[getattr(a, f) - getattr(b, f) for f in fields] for a, b in zip(again, answer, strict=True)]
            )
            off = np.abs(off) * max(size.width, size.height)
        assert off.max() <= 1.0, "within a pixel, and half a hundredth of a side"
        read += 1
    assert read > 3


def test_a_given_path_stands_in_the_question(items: list[GroundItem]):
    item = next(item for item in items if item.record.type == "depth-offsets")
    record, size = item.record, item.frame.size
    assert "{given}" in record.question
    assert '"path_2d"' in question_text(record, size, dialect("qwen3-vl"))
    assert "<answer_start>[(" in question_text(record, size, dialect("st-human"))


@pytest.mark.parametrize(
    ("name", "form", "own"), [("qwen2.5-vl", "llava", "llava"), ("ms-swift", "llava", "swift")]
)
def test_files_for_training_frameworks(small: GroundSet, name: str, form: str, own: str):
    made = export(small.path, name, form)
    assert made.files == {f"{name}-train.json": len(small)}
    records = json.loads((small.path / "export" / f"{name}-train.json").read_text())
    for record in records[:: len(records) // 20]:
        image = record["image"] if own == "llava" else record["images"][0]
        assert (small.path / "export" / image).is_file()
        turns = record["conversations"] if own == "llava" else record["messages"]
        assert len(turns) == 2
        assert "<image>" in turns[0].get("value", turns[0].get("content"))


def test_what_a_dialect_cannot_say_is_left_out_and_counted(small: GroundSet):
    made = export(small.path, "hamster")
    boxes = len(GroundSet(small.path, types=("box",)))
    assert made.without_form == {"box": boxes}
    assert sum(made.files.values()) == len(small) - boxes


def test_unknown_dialects_and_forms_are_named(small: GroundSet):
    with pytest.raises(UnknownName, match=r"Did you mean 'qwen2\.5-vl'"):
        export(small.path, "qwen2.5vl")
    with pytest.raises(UnknownName, match="Did you mean 'llava'"):
        export(small.path, "json", "lava")
