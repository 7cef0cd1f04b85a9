"""Public sets of questions about places, read from folders that users have: Where2Place, RoboRefIt, RefCOCO.

Nothing is downloaded. Each reader takes the layout in which its set is published and gives `Question`s; what
is missing or of another form is a `DataError` that names the file.
"""

import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from kinesight.evaluation.spatial_questions import BoxTruth, InsideTruth, Question, RegionTruth
from kinesight.types.errors import DataError, UnknownName
from kinesight.types.serial import parse_json
from kinesight.types.spatial import ImageBox, ImageSize

Asked = Literal["boxes", "points"]
"""What is asked for where a set has boxes: the box itself, or points inside it."""


def where2place(folder: Path) -> list[Question]:
    """Where2Place (RoboPoint): free-space points. 100 questions in `point_questions.jsonl`.

    Line k belongs to `masks/KK.jpg`. A pixel counts from half grey up: JPEG leaves no clean zeros and ones,
    and the published script, which averages grey values, gives parts of a hit near edges.
    """
    file = folder / "point_questions.jsonl"
    questions: list[Question] = []
    for number, line in enumerate(line for line in _text(file).splitlines() if line.strip()):
        source = f"{file}, line {number + 1}"
        record = _fields(parse_json(line, source), ("question_id", "image", "text"), source)
        mask = _picture(folder / "masks" / f"{number:02d}.jpg", cv2.IMREAD_GRAYSCALE) >= 128
        if not mask.any():
            raise DataError(f"{folder / 'masks' / f'{number:02d}.jpg'}: no pixel is marked.")
        questions.append(
            Question(
                name=str(record["question_id"]),
                size=ImageSize(*mask.shape),
                truth=RegionTruth(mask),
                group="where2place",
                text=str(record["text"]),
                image=folder / "images" / str(record["image"]),
            )
        )
    return questions


def roborefit(folder: Path, split: str, asked: Asked = "boxes") -> list[Question]:
    """RoboRefIt (VL-Grasp): an object that a sentence refers to. `SPLIT/roborefit_SPLIT.json`.

    Paths in the file have back slashes and start at the folder or at the one above it.
    """
    file = folder / split / f"roborefit_{split}.json"
    records = parse_json(_text(file), str(file))
    if not isinstance(records, list):
        raise DataError(f"{file}: expected a list of records, got {type(records).__name__}.")
    sizes: dict[Path, ImageSize] = {}
    questions: list[Question] = []
    for number, entry in enumerate(records):
        source = f"{file}, record {number}"
        record = _fields(entry, ("text", "bbox", "rgb_path"), source)
        image = _beside(folder, str(record["rgb_path"]).replace("\\", "/"), source)
        if image not in sizes:  # many sentences share a picture
            sizes[image] = ImageSize(*_picture(image, cv2.IMREAD_GRAYSCALE).shape)
        box = _box(record["bbox"], sizes[image], source)
        questions.append(
            _referring(f"{split}/{number}", sizes[image], box, asked, "roborefit", str(record["text"]), image)
        )
    return questions


def refcoco(
    folder: Path, split: str, split_by: str = "unc", images: Path | None = None, asked: Asked = "boxes"
) -> list[Question]:
    """RefCOCO, RefCOCO+ or RefCOCOg: `refs(SPLIT_BY).p` and `instances.json`; each sentence is a question.

    The first file is a pickle, which may run code when it is opened. Ours may not: only plain values are let
    in. Boxes are (x, y, width, height) in pixels there.
    """
    document = parse_json(_text(folder / "instances.json"), str(folder / "instances.json"))
    source = str(folder / "instances.json")
    tables = _fields(document, ("images", "annotations"), source)
    pictures = {
        entry["id"]: _fields(entry, ("height", "width", "file_name"), source) for entry in tables["images"]
    }
    boxes = {entry["id"]: _fields(entry, ("bbox",), source)["bbox"] for entry in tables["annotations"]}
    file = folder / f"refs({split_by}).p"
    refs = _plain_pickle(file)
    splits = {ref["split"] for ref in refs}
    if split not in splits:
        raise UnknownName(f"split of {file}", split, splits)
    questions: list[Question] = []
    for ref in (ref for ref in refs if ref["split"] == split):
        source = f"{file}, ref {ref['ref_id']}"
        _fields(ref, ("ann_id", "image_id", "sentences"), source)
        if ref["image_id"] not in pictures or ref["ann_id"] not in boxes:
            raise DataError(f"{source}: instances.json has no such picture or annotation.")
        picture = pictures[ref["image_id"]]
        size = ImageSize(int(picture["height"]), int(picture["width"]))
        x, y, width, height = boxes[ref["ann_id"]]
        box = _box((x, y, x + width, y + height), size, source)
        image = images / picture["file_name"] if images else None
        questions += [
            _referring(str(s["sent_id"]), size, box, asked, folder.name, str(s["sent"]), image)
            for s in ref["sentences"]
        ]
    return questions


def _referring(
    name: str, size: ImageSize, box: ImageBox, asked: Asked, group: str, text: str, image: Path | None
) -> Question:
    truth = BoxTruth(box) if asked == "boxes" else InsideTruth(box)
    return Question(name=name, size=size, truth=truth, group=group, text=text, image=image)


def _box(edges: Any, size: ImageSize, source: str) -> ImageBox:
    """Pixels left, top, right, bottom as shares; annotators' edges may lie a little outside."""
    try:
        left, top, right, bottom = (float(edge) for edge in edges)
        limits = np.array([size.width, size.height] * 2, np.float64)
        a, b, c, d = np.clip(np.array([left, top, right, bottom]) / limits, 0.0, 1.0).tolist()
        return ImageBox(a, b, c, d)
    except (TypeError, ValueError) as error:
        raise DataError(f"{source}: expected a box of four pixel edges, got {edges!r} ({error}).") from error


def _beside(folder: Path, path: str, source: str) -> Path:
    places = [folder / path, folder.parent / path]
    for place in places:
        if place.is_file():
            return place
    raise DataError(f"{source}: no picture {places[0]} nor {places[1]}.")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {file}: {getattr(error, 'strerror', None) or error}.") from error


def _picture(file: Path, mode: int) -> np.ndarray:
    picture = cv2.imread(str(file), mode) if file.is_file() else None
    if picture is None:
        raise DataError(f"Cannot read {file} as a picture.")
    return picture


def _fields(record: Any, names: Sequence[str], source: str) -> Mapping[str, Any]:
    missing = [name for name in names if not isinstance(record, Mapping) or name not in record]
    if missing:
        raise DataError(f"{source}: expected the fields {', '.join(names)}; {missing[0]!r} is missing.")
    return record


class _PlainUnpickler(pickle.Unpickler):
    """Lists, dicts, strings and numbers need no class; whatever names one is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names the class {module}.{name}")


def _plain_pickle(file: Path) -> list[dict[str, Any]]:
    try:
        refs = _PlainUnpickler(io.BytesIO(file.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}.") from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DataError(f"{file}: no pickle of plain values, {error}.") from error
    if not isinstance(refs, list) or not refs:
        raise DataError(f"{file}: expected a list of references, got {type(refs).__name__}.")
    for number, ref in enumerate(refs):
        _fields(ref, ("ref_id", "split"), f"{file}, entry {number}")
    return refs
