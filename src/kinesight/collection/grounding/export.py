"""A ground set as the JSON files and pictures that training frameworks read: ms-swift and LLaVA.

A dialect is either a way to write places or a whole record (`ms-swift`, `llava`, `st-human`, …). The former
goes as text into the turns of the chosen `form`; the latter has its form already. Records that the dialect
cannot say (boxes in `hamster`) are left out and counted, never bent.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinesight.data.ground_file import CODECS
from kinesight.data.ground_set import GroundSet
from kinesight.language.dialects.catalogue import dialect as named_dialect
from kinesight.language.dialects.codec import Dialect
from kinesight.language.dialects.records import IMAGE, Conversation
from kinesight.language.dialects.sketch import Prompt
from kinesight.language.ground_text import SPOKEN, answer_text, has_form, places, question_text
from kinesight.types.errors import UsageError, lookup
from kinesight.types.files import write_atomic
from kinesight.types.ground import SUBSETS, Record
from kinesight.types.spatial import ImageSize

FORMS = ("swift", "llava")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what was not."""

    files: Mapping[str, int]
    """Name of the file -> its records."""
    without_form: Mapping[str, int]
    """Type -> records that the dialect cannot say."""


def export(path: Path | str, dialect: str, form: str = "swift", types: Iterable[str] = ()) -> Exported:
    """`export/DIALECT-SUBSET.json` of every subset and `export/images/`, to which its paths are relative."""
    said = check_dialect(dialect, form)
    form = _own_form(said) or form
    folder = Path(path) / "export"
    files, lost = {}, Counter()
    for subset in SUBSETS:
        ground = GroundSet(path, subset, types)
        lines = [json.dumps(line, ensure_ascii=False) for line in _lines(ground, said, form, folder, lost)]
        if lines:
            name = f"{dialect}-{subset}.json"
            write_atomic(folder / name, "[\n" + ",\n".join(lines) + "\n]\n")
            files[name] = len(lines)
    if not files:
        raise UsageError(f"Dialect {dialect!r} has a form for none of the records in {path}.")
    return Exported(files, dict(lost))


def check_dialect(dialect: str, form: str) -> Dialect:
    """The dialect, or an error with the nearest name and the list."""
    lookup("form of training records", form, dict.fromkeys(FORMS))
    return named_dialect(dialect)


def training_record(
    record: Record, size: ImageSize, dialect: Dialect, form: str, image: str
) -> dict[str, Any]:
    """One record as a JSON object; `image` is the picture's path as the object shall name it."""
    question = question_text(record, size, dialect)
    if dialect.name in SPOKEN and places(record.answer) is not None:
        return json.loads(answer_text(record.answer, size, dialect, Prompt(question, image)))
    answer = answer_text(record.answer, size, dialect)
    if form == "llava":
        turns = [{"from": "human", "value": f"{IMAGE}\n{question}"}, {"from": "gpt", "value": answer}]
        return {"id": record.name, "image": image, "conversations": turns}
    messages = [{"role": "user", "content": f"{IMAGE}{question}"}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "images": [image]}


def _lines(
    ground: GroundSet, dialect: Dialect, form: str, folder: Path, lost: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The records in their order; a frame's picture is written when its first record comes."""
    ending = CODECS[ground.info.config["codec"]][0]
    number, image, size = -1, "", ImageSize(1, 1)
    for index in range(len(ground)):
        record = ground.record(index)
        if not has_form(record, dialect):
            lost[record.type] += 1
            continue
        if ground.frame_of(index) != number:
            number = ground.frame_of(index)
            size = ground.frame(number).size
            image = f"images/{record.name.split('/')[0]}/{record.name.split('/')[1]}{ending}"
            _write_picture(folder / image, ground.image_bytes(number))
        yield training_record(record, size, dialect, form, image)


def _write_picture(file: Path, data: bytes) -> None:
    if not file.exists() or file.stat().st_size != len(data):  # other dialects share the pictures
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _own_form(dialect: Dialect) -> str:
    """The form of a dialect that is a record itself, "" for the others."""
    if dialect.name not in SPOKEN:
        return ""
    return "llava" if isinstance(dialect.grammar, Conversation) else "swift"
