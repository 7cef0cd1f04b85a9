"""Answers inside records of training data, one JSON object each: ms-swift, ST-Human, LLaVA.

ms-swift keeps numbers apart from the text: the assistant's turn has a placeholder for each of them.

    {"messages": [{"role": "user", "content": "<image>Find the mug."},
                  {"role": "assistant", "content": "<ref-object><bbox>"}],
     "images": ["a.png"], "objects": {"ref": ["mug"], "bbox": [[0.1, 0.2, 0.3, 0.4]], "bbox_type": "norm1"}}

Two numbers are a point, four a box; `bbox_type` is "norm1" (shares) or "real" (pixels of the picture, also
the default). ST-VLA's ST-Human imitates this with a key of its own, `traj_2d` (appendix F.2, Table 5), which
ms-swift does not know. LLaVA's conversations hold the answer as text, in any other dialect.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from kinesight.language.dialects.sketch import (
    Grammar,
    Malformed,
    Prompt,
    Sketch,
    check_keys,
    check_list,
    check_text,
    numerals,
    parse_numerals,
)
from kinesight.types.spatial import KINDS, Kind

IMAGE = "<image>"
_PLACEHOLDER = re.compile(r"(<ref-object>)?<bbox>")


@dataclass(frozen=True, slots=True)
class SwiftRecord:
    """ms-swift's grounding record."""

    bbox_type: str
    kinds: tuple[Kind, ...] = KINDS
    carries: frozenset[str] = frozenset({"label"})

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        labels = sketch.labels or ("",) * len(sketch.rows)
        content = "".join("<ref-object><bbox>" if label else "<bbox>" for label in labels)
        references = json.dumps([label for label in labels if label], ensure_ascii=False)
        boxes = ", ".join(f"[{', '.join(row)}]" for row in sketch.rows)
        objects = f'{{"ref": {references}, "bbox": [{boxes}], "bbox_type": "{self.bbox_type}"}}'
        return _swift(prompt, content, objects)

    def read(self, text: str, kind: Kind) -> Sketch:
        content, record = _swift_parts(text)
        objects = check_keys(record, ("bbox",), ("ref", "bbox_type", "image_id"), "objects")
        if objects.get("bbox_type", "real") != self.bbox_type:
            raise Malformed(
                f"bbox_type {self.bbox_type!r}", objects.get("bbox_type", "none, which means 'real'")
            )
        width = 4 if kind == "boxes" else 2
        rows = tuple(
            numerals(box, width, f"each entry of bbox as a list of {width}")
            for box in check_list(objects["bbox"], "bbox entries")
        )
        referred = [bool(match) for match in _placeholders(content, len(rows))]
        references = objects.get("ref", [])
        if not isinstance(references, list) or len(references) != sum(referred):
            raise Malformed(f"{sum(referred)} entries in ref, one a <ref-object>", references)
        if kind == "path" and references:
            raise Malformed("points of a path without <ref-object>", content)
        names = iter(check_text(name, "each entry of ref") for name in references)
        labels = tuple(next(names) if has else "" for has in referred)
        return Sketch(kind, rows, () if kind == "path" else labels)


@dataclass(frozen=True, slots=True)
class HumanRecord:
    """ST-Human's record of a path of exactly 8 points (ST-VLA, Table 5)."""

    kinds: tuple[Kind, ...] = ("path",)
    carries: frozenset[str] = frozenset()
    path_points: int = 8

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        if len(sketch.rows) != self.path_points:
            raise Malformed(f"a path of exactly {self.path_points} points", f"{len(sketch.rows)} points")
        points = ", ".join(f"[{x}, {y}]" for x, y in sketch.rows)
        return _swift(prompt, "<bbox>" * len(sketch.rows), f'{{"traj_2d": [{points}]}}')

    def read(self, text: str, kind: Kind) -> Sketch:
        content, record = _swift_parts(text)
        points = check_keys(record, ("traj_2d",), (), "objects")["traj_2d"]
        rows = tuple(
            numerals(point, 2, "each point as [x, y]") for point in check_list(points, "points [x, y]")
        )
        if len(rows) != self.path_points:
            raise Malformed(f"exactly {self.path_points} points", f"{len(rows)} points")
        _placeholders(content, len(rows))
        return Sketch(kind, rows)


@dataclass(frozen=True, slots=True)
class Conversation:
    """LLaVA's record: a question of "human" and an answer of "gpt", which `inner` writes."""

    inner: Grammar

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return self.inner.kinds

    @property
    def carries(self) -> frozenset[str]:
        return self.inner.carries

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        turns = [
            {"from": "human", "value": f"{IMAGE}\n{prompt.question}"},
            {"from": "gpt", "value": self.inner.write(sketch, prompt)},
        ]
        return json.dumps({"image": prompt.image, "conversations": turns}, ensure_ascii=False)

    def read(self, text: str, kind: Kind) -> Sketch:
        return self.inner.read(read_conversation(text)[1], kind)


def read_conversation(text: str) -> tuple[Prompt, str]:
    """Question and picture of a LLaVA record, and the answer as text; `Malformed` for anything else."""
    record = check_keys(parse_numerals(text), ("conversations",), ("id", "image"), "the record")
    turns = check_list(record["conversations"], "turns")
    read = [check_keys(turn, ("from", "value"), (), "each turn") for turn in turns]
    if [turn["from"] for turn in read] != ["human", "gpt"]:
        raise Malformed("one turn from 'human' and one from 'gpt'", [turn["from"] for turn in read])
    question, answer = (check_text(turn["value"], "value") for turn in read)
    return Prompt(_without_image(question), check_text(record.get("image", ""), "image")), answer


def read_messages(text: str) -> tuple[Prompt, str]:
    """Question and picture of an ms-swift or ST-Human record, and the assistant's turn with placeholders."""
    record = check_keys(parse_numerals(text), ("messages",), ("images", "objects"), "the record")
    turns = check_list(record["messages"], "messages")
    read = [check_keys(turn, ("role", "content"), (), "each message") for turn in turns]
    roles = [turn["role"] for turn in read]
    if roles not in (["user", "assistant"], ["system", "user", "assistant"]):
        raise Malformed("messages of a user and an assistant, after one of the system or not", roles)
    images = record.get("images", [""])
    if not isinstance(images, list) or len(images) != 1:
        raise Malformed("images as a list of one picture", images)
    question, answer = (check_text(turn["content"], "content") for turn in read[-2:])
    return Prompt(_without_image(question), check_text(images[0], "each of images")), answer


def _swift(prompt: Prompt, content: str, objects: str) -> str:
    # Numbers are spliced in as spelled: a float's shortest form would lose written zeros.
    messages = [
        {"role": "user", "content": IMAGE + prompt.question},
        {"role": "assistant", "content": content},
    ]
    shown = json.dumps({"messages": messages, "images": [prompt.image]}, ensure_ascii=False)
    return f'{shown[:-1]}, "objects": {objects}}}'


def _swift_parts(text: str) -> tuple[str, Any]:
    _, content = read_messages(text)
    record = parse_numerals(text)
    if "objects" not in record:
        raise Malformed("objects, where a grounding record keeps its numbers", text)
    return content, record["objects"]


def _placeholders(content: str, count: int) -> list[str | None]:
    """<ref-object> or None before each <bbox>; the content is `count` placeholders and nothing else."""
    dense = "".join(content.split())
    found = [match.group(1) for match in _PLACEHOLDER.finditer(dense)]
    if len(found) != count or _PLACEHOLDER.sub("", dense):
        raise Malformed(f"{count} placeholders <bbox>, each after a <ref-object> or not", content)
    return found


def _without_image(question: str) -> str:
    return question.removeprefix(IMAGE).removeprefix("\n")
