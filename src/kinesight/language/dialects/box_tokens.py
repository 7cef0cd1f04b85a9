"""Qwen2-VL's special tokens, in thousandths of the picture.

    <|object_ref_start|>a dog<|object_ref_end|><|box_start|>(221,423),(569,886)<|box_end|>
    <|box_start|>(246,113)<|box_end|>

One pair of brackets is a point, two are a box; the reference in front is optional. A path is written as its
points in order, without references; the model knows no other form.
"""

import re
from dataclasses import dataclass

from kinesight.language.dialects.sketch import NUMERAL, Malformed, Prompt, Sketch
from kinesight.types.spatial import KINDS, Kind

_PAIR = rf"\(\s*({NUMERAL})\s*,\s*({NUMERAL})\s*\)"
_MARK = re.compile(
    r"\s*(?:<\|object_ref_start\|>(?P<label>(?:(?!<\|)[^\n])*)<\|object_ref_end\|>\s*)?"
    rf"<\|box_start\|>\s*(?P<pairs>{_PAIR}(?:\s*,\s*{_PAIR})?)\s*<\|box_end\|>\s*"
)
_NUMBER = re.compile(NUMERAL)


@dataclass(frozen=True, slots=True)
class BoxTokens:
    kinds: tuple[Kind, ...] = KINDS
    carries: frozenset[str] = frozenset({"label"})

    def write(self, sketch: Sketch, prompt: Prompt) -> str:
        labels = sketch.labels or ("",) * len(sketch.rows)
        return "".join(_mark(row, label) for row, label in zip(sketch.rows, labels, strict=True))

    def read(self, text: str, kind: Kind) -> Sketch:
        width = 4 if kind == "boxes" else 2
        expected = (
            "<|box_start|>(x1,y1),(x2,y2)<|box_end|>" if width == 4 else "<|box_start|>(x,y)<|box_end|>"
        )
        rows: list[tuple[str, ...]] = []
        labels: list[str] = []
        position = 0
        while position < len(text) or not rows:
            match = _MARK.match(text, position)
            if match is None:
                raise Malformed(expected, text[position:])
            row = tuple(_NUMBER.findall(match["pairs"]))
            if len(row) != width or (kind == "path" and match["label"] is not None):
                raise Malformed(expected, match.group())
            rows.append(row)
            labels.append((match["label"] or "").strip())
            position = match.end()
        return Sketch(kind, tuple(rows), () if kind == "path" else tuple(labels))


def _mark(row: tuple[str, ...], label: str) -> str:
    if "<|" in label or label != label.strip():
        raise Malformed("a label without '<|' and outer spaces, as tokens stand around it", label)
    reference = f"<|object_ref_start|>{label}<|object_ref_end|>" if label else ""
    pairs = ",".join(f"({x},{y})" for x, y in zip(row[::2], row[1::2], strict=True))
    return f"{reference}<|box_start|>{pairs}<|box_end|>"
