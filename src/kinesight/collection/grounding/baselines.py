"""How far one gets with the same answer to every question: the best constant of each type of record.

The constant is chosen on the training records and measured on each subset. Values are read from the records'
JSON documents, as a whole set is counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from kinesight.collection.grounding.ask_places import SIDE_WORDS
from kinesight.types.ground import (
    RECORD_TYPES,
    BoxAnswer,
    MetresAnswer,
    OffsetsAnswer,
    PathAnswer,
    RegionAnswer,
)
from kinesight.types.serial import from_jsonable
from kinesight.types.spatial import ImagePath

Document = Mapping[str, Any]
GRID = 32
"""Cells each way among which the best constant point is looked for."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A constant answer and its score."""

    metric: str
    constant: str
    """In words or numbers."""
    values: Mapping[str, float]
    """Subset -> score."""


def answer_word(record: Document) -> str:
    """What of an answer is counted: the words of a choice, less the names in a relation."""
    answer = record["answer"]
    match answer["type"]:
        case "ChoiceAnswer":
            words = answer["options"][answer["option"]]
            sides = [side for side in SIDE_WORDS.values() if f" {side} " in words]
            return sides[0] if record["type"] == "relation" else words
        case "ProgressAnswer":
            return f"{answer['completed']} completed, {'finished' if answer['finished'] else 'not finished'}"
        case "SentenceAnswer":
            return answer["text"]
    return ""


def baseline(kind: str, rows: Mapping[str, Sequence[Any]]) -> Baseline | None:
    """`rows`: subset -> `row_of` of each record; None where there is none to choose from."""
    chosen_on = rows.get("train") or next((found for found in rows.values() if found), None)
    if not chosen_on:
        return None
    metric, choose, measure, shown = _RULES.get(RECORD_TYPES[kind].answer, _MAJORITY)
    constant = choose(chosen_on)
    values = {subset: round(float(measure(found, constant)), 4) for subset, found in rows.items() if found}
    return Baseline(metric, shown(constant), values)


def row_of(record: Document) -> Any:
    """What of a record its baseline needs."""
    answer = record["answer"]
    match answer["type"]:
        case "RegionAnswer":
            return _covered(answer["region"])
        case "BoxAnswer":
            box = answer["box"]
            return np.array([box["left"], box["top"], box["right"], box["bottom"]])
        case "PathAnswer":
            return from_jsonable(ImagePath, answer["path"]).points
        case "MetresAnswer":
            return answer["metres"]
        case "OffsetsAnswer":
            depth_m = np.array(answer["depth_m"]["values"])
            return depth_m - depth_m[0]
    return answer_word(record)


def _covered(region: Document) -> np.ndarray:
    """Which cells' centres lie in a region; [GRID·GRID] bool, from its runs."""
    height, width = region["height"], region["width"]
    places = ((np.arange(GRID) + 0.5) / GRID * np.array([[height], [width]])).astype(int)
    flat = (places[0][:, None] * width + places[1][None, :]).ravel()
    return np.searchsorted(np.cumsum(region["runs"]), flat, side="right") % 2 == 1


def _best_cell(rows: Sequence[np.ndarray]) -> int:
    return int(np.mean(rows, axis=0).argmax())


def _hits(rows: Sequence[np.ndarray], cell: int) -> float:
    return float(np.mean([row[cell] for row in rows]))


def _overlaps(rows: Sequence[np.ndarray], box: Float[np.ndarray, "4"]) -> float:
    boxes = np.stack(rows)
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return float(np.mean(shared / (areas - shared) >= 0.5))


def _path_rmse(rows: Sequence[np.ndarray], path: np.ndarray) -> float:
    squared = np.sum((1000 * (np.stack(rows) - path)) ** 2, axis=-1)
    return float(np.mean(np.sqrt(squared.mean(axis=-1))))


def _deviation_cm(rows: Sequence[Any], constant: Any) -> float:
    return float(100 * np.abs(np.array(rows) - constant).mean())


def _numbers(values: Any) -> str:
    return " ".join(f"{value:.2f}" for value in np.ravel(values))


Rule = tuple[str, Callable[[Sequence[Any]], Any], Callable[[Sequence[Any], Any], float], Callable[[Any], str]]
_MAJORITY: Rule = (
    "accuracy",
    lambda rows: Counter(rows).most_common(1)[0][0],
    lambda rows, word: Counter(rows)[word] / len(rows),
    str,
)
_RULES: Mapping[type, Rule] = {
    RegionAnswer: (
        "hit rate",
        _best_cell,
        _hits,
        lambda cell: _numbers([(cell % GRID + 0.5) / GRID, (cell // GRID + 0.5) / GRID]),
    ),
    BoxAnswer: ("IoU ≥ 0.5", lambda rows: np.median(rows, axis=0), _overlaps, _numbers),
    PathAnswer: ("RMSE, thousandths", lambda rows: np.mean(rows, axis=0), _path_rmse, _numbers),
    MetresAnswer: ("deviation, cm", np.median, _deviation_cm, _numbers),
    OffsetsAnswer: ("deviation, cm", lambda rows: np.mean(rows, axis=0), _deviation_cm, _numbers),
}
"""Answer -> metric, how the constant is chosen, how it is measured, how it is shown."""
