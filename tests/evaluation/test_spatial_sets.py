"""Public sets, as tiny files in their published layouts."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinesight.evaluation.spatial_questions import BoxTruth, InsideTruth, RegionTruth
from kinesight.evaluation.spatial_score import score
from kinesight.evaluation.spatial_sets import refcoco, roborefit, where2place
from kinesight.types.errors import DataError, UnknownName
from kinesight.types.spatial import ImageBox, ImageSize


@pytest.fixture
def free_space(tmp_path: Path) -> Path:
    folder = tmp_path / "where2place"
    (folder / "masks").mkdir(parents=True)
    lines = []
    for number in range(2):
        mask = np.zeros((48, 64), np.uint8)
        mask[24:, 32 * number : 32 * number + 32] = 255
        cv2.imwrite(str(folder / "masks" / f"{number:02d}.jpg"), mask)
        lines.append(
            json.dumps(
                {"question_id": number, "image": f"{number:02d}.jpg", "text": "Free?", "category": "x"}
            )
        )
    (folder / "point_questions.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_where2place(free_space: Path):
    questions = where2place(free_space)
    assert [question.name for question in questions] == ["0", "1"]
    assert questions[1].image == free_space / "images" / "01.jpg"
    assert questions[0].size == ImageSize(48, 64)
    truth = questions[0].truth
    assert isinstance(truth, RegionTruth)
    assert abs(truth.mask.mean() - 0.25) < 0.02, "grey rims of the JPEG do not count"
    replies = {"0": "[(0.250, 0.750), (0.750, 0.750)]", "1": "[(0.750, 0.900)]"}
    row = score(replies, questions, "robopoint").rows[0]
    assert (row.metric, row.value, row.interval) == ("hit_rate", 0.75, "bootstrap")
    (free_space / "masks" / "01.jpg").unlink()
    with pytest.raises(DataError, match=r"01\.jpg as a picture"):
        where2place(free_space)


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 1: no valid JSON"), ("{}", "'question_id' is missing"), ("[1]", "'question_id' is missing")],
)
def test_bad_lines_are_named(free_space: Path, line: str, message: str):
    (free_space / "point_questions.jsonl").write_text(line)
    with pytest.raises(DataError, match=message):
        where2place(free_space)


@pytest.fixture
def refit(tmp_path: Path) -> Path:
    folder = tmp_path / "final_dataset"
    (folder / "testA" / "image").mkdir(parents=True)
    cv2.imwrite(str(folder / "testA" / "image" / "0001.png"), np.zeros((480, 640, 3), np.uint8))
    records = [
        {
            "text": "the red can",
            "bbox": [64, 48, 320, 240],
            "rgb_path": "final_dataset\\testA\\image\\0001.png",
        },
        {"text": "the left can", "bbox": [0, 0, 641, 480], "rgb_path": "testA/image/0001.png"},
    ]
    (folder / "testA" / "roborefit_testA.json").write_text(json.dumps(records))
    return folder


def test_roborefit(refit: Path):
    first, second = roborefit(refit, "testA")
    assert first.truth == BoxTruth(ImageBox(0.1, 0.1, 0.5, 0.5))
    assert second.truth == BoxTruth(ImageBox(0.0, 0.0, 1.0, 1.0)), "edges just outside are brought in"
    assert (first.name, first.text) == ("testA/0", "the red can")
    assert first.image == refit / "testA" / "image" / "0001.png" or first.image == (
        refit.parent / "final_dataset" / "testA" / "image" / "0001.png"
    )
    assert isinstance(roborefit(refit, "testA", "points")[0].truth, InsideTruth)
    replies = {"testA/0": '[{"bbox_2d": [100, 100, 500, 500]}]', "testA/1": '[{"bbox_2d": [0, 0, 400, 999]}]'}
    assert score(replies, [first, second], "qwen3-vl").rows[0].value == 0.5
    with pytest.raises(DataError, match=r"roborefit_testB\.json"):
        roborefit(refit, "testB")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [1, 2, 3]}, "record 0: expected a box of four pixel edges"),
        ({"bbox": [300, 2, 3, 40]}, "from left-top to right-bottom"),
        ({"rgb_path": "testA/image/9.png"}, r"no picture .*testA/image/9\.png"),
    ],
)
def test_bad_records_are_named(refit: Path, change: dict, message: str):
    file = refit / "testA" / "roborefit_testA.json"
    records = json.loads(file.read_text())
    file.write_text(json.dumps([records[0] | change]))
    with pytest.raises(DataError, match=message):
        roborefit(refit, "testA")


REFS = [
    {
        "ref_id": 1, "ann_id": 7, "image_id": 3, "category_id": 1, "split": "testA", "file_name": "a_1.jpg",
        "sent_ids": [0, 1],
        "sentences": [{"sent_id": 0, "sent": "left man"}, {"sent_id": 1, "sent": "him"}],
    },
    {"ref_id": 2, "ann_id": 7, "image_id": 3, "split": "train", "sentences": [{"sent_id": 2, "sent": "he"}]},
]  # fmt: skip
INSTANCES = {
    "images": [{"id": 3, "height": 100, "width": 200, "file_name": "a.jpg"}],
    "annotations": [{"id": 7, "bbox": [20, 10, 80, 40]}],
}


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    folder = tmp_path / "refcoco+"
    folder.mkdir()
    (folder / "refs(unc).p").write_bytes(pickle.dumps(REFS, protocol=2))
    (folder / "instances.json").write_text(json.dumps(INSTANCES))
    return folder


def test_refcoco(coco: Path):
    questions = refcoco(coco, "testA", images=Path("train2014"))
    assert [(q.name, q.text, q.group) for q in questions] == [
        ("0", "left man", "refcoco+"),
        ("1", "him", "refcoco+"),
    ]
    assert questions[0].truth == BoxTruth(ImageBox(0.1, 0.1, 0.5, 0.5))
    assert questions[0].image == Path("train2014/a.jpg")
    assert len(refcoco(coco, "train")) == 1
    with pytest.raises(UnknownName, match="Did you mean 'testA'"):
        refcoco(coco, "testa")
    with pytest.raises(DataError, match=r"refs\(google\)\.p"):
        refcoco(coco, "testA", split_by="google")
    (coco / "instances.json").write_text(json.dumps(INSTANCES | {"annotations": []}))
    with pytest.raises(DataError, match=r"ref 1: instances\.json has no such"):
        refcoco(coco, "testA")


class Dangerous:
    def __reduce__(self):
        return print, ("this must not run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps([Dangerous()]), "names the class builtins.print"),
        (b"\x80\x04.", "no pickle of plain values"),
        (pickle.dumps([]), "a list of references"),
        (pickle.dumps([{"ref_id": 1}]), "entry 0: .*'split' is missing"),
    ],
)
def test_a_foreign_pickle_runs_nothing(coco: Path, capsys, content: bytes, message: str):
    (coco / "refs(unc).p").write_bytes(content)
    with pytest.raises(DataError, match=message):
        refcoco(coco, "testA")
    assert capsys.readouterr().out == ""
