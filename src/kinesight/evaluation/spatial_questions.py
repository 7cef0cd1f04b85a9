"""Questions about places with their true answers: how replies are read, measured and met by a constant.

One entry of `TASKS` for each kind of truth. `read` turns a reply into a value or raises a `KinesightError`;
`measure` gives named terms for a value; `constant` is what this truth would say if it were the only answer
ever given, from which the baseline of a set of questions is chosen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from kinesight.evaluation.spatial_metrics import (
    DEPTH_TOLERANCES,
    PIXEL_THRESHOLDS,
    box_hit_share,
    depth_errors,
    hit_share,
    iou,
    path_depths,
    path_errors,
    pixel_distance,
)
from kinesight.evaluation.text_metrics import chrf, token_f1
from kinesight.geometry.picture_marks import deepest_point
from kinesight.language.dialects import answers, catalogue, codec
from kinesight.language.dialects.answers import AnswerError, Progress
from kinesight.language.dialects.codec import LONGEST_REPLY, Dialect
from kinesight.types.spatial import Answer, ImageBox, ImagePath, ImagePoint, ImageSize, Kind


@dataclass(frozen=True, slots=True, eq=False)
class RegionTruth:
    """Points are asked for; those on the mask are right."""

    mask: Bool[np.ndarray, "y x"]

    def __post_init__(self) -> None:
        if not self.mask.any():
            raise ValueError("a region without a pixel can be hit by no answer")


@dataclass(frozen=True, slots=True)
class InsideTruth:
    """Points are asked for; those in the box are right."""

    box: ImageBox


@dataclass(frozen=True, slots=True)
class SpotTruth:
    """One point is asked for; the nearer the better."""

    point: ImagePoint


@dataclass(frozen=True, slots=True)
class BoxTruth:
    """One box is asked for."""

    box: ImageBox


@dataclass(frozen=True, slots=True)
class PathTruth:
    """A path is asked for; with depths, if the truth has them."""

    path: ImagePath


@dataclass(frozen=True, slots=True, eq=False)
class DepthTruth:
    """Depths along a given path are asked for, as offsets from its known start (`read_depth_offsets`)."""

    depth_m: Float[np.ndarray, "n"]


@dataclass(frozen=True, slots=True)
class MetresTruth:
    """One z-depth is asked for."""

    metres: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.metres) and self.metres > 0):
            raise ValueError(f"a z-depth is above 0 m, got {self.metres}")


@dataclass(frozen=True, slots=True)
class ChoiceTruth:
    """One of several options is asked for."""

    option: int
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.option < len(self.options) <= len(answers.LETTERS):
            raise ValueError(f"the right option must be one of the {len(self.options)}, got {self.option}")


@dataclass(frozen=True, slots=True)
class ProgressTruth:
    """Completed steps and whether the task is finished are asked for."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class SentenceTruth:
    """An instruction in words is asked for."""

    text: str


Truth: TypeAlias = (
    RegionTruth
    | InsideTruth
    | SpotTruth
    | BoxTruth
    | PathTruth
    | DepthTruth
    | MetresTruth
    | ChoiceTruth
    | ProgressTruth
    | SentenceTruth
)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One question about one picture."""

    name: str
    """Unique in a set; replies are given by it."""
    size: ImageSize
    truth: Truth
    group: str = "all"
    """Questions of one group and one kind of truth are averaged."""
    text: str = ""
    image: Path | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A named term of `measure`. Where more is better, a reply that cannot be read counts as 0."""

    name: str
    unit: str
    higher_is_better: bool
    is_share: bool = False
    """Whether it counts what is right, so that its mean is a proportion where each question gives 0 or 1."""


@dataclass(frozen=True, slots=True)
class Task:
    read: Callable[[str, Any, ImageSize, Dialect], Any]
    """Reply, truth, size of the picture and dialect -> value, or a `KinesightError`."""
    measure: Callable[[Any, Any, ImageSize], dict[str, float]]
    """Value and truth -> terms by the metrics' names; a `ValueError` where the two do not fit together."""
    constant: Callable[[Any], Any]
    """Truth -> a value."""
    metrics: tuple[Metric, ...]


def task_of(question: Question) -> Task:
    return TASKS[type(question.truth)]


def _read_places(kind: Kind, only_one: bool = False) -> Callable[[str, Any, ImageSize, Dialect], Answer]:
    def read(reply: str, truth: Any, size: ImageSize, dialect: Dialect) -> Answer:
        answer = codec.read(reply, kind, size, dialect, catalogue.DIALECTS.values())
        if only_one and not isinstance(answer, ImagePath) and len(answer) > 1:
            raise AnswerError(f"{dialect.name} {kind}", f"one of the {kind}", f"{len(answer)} of them")
        return answer

    return read


def _read_path(reply: str, truth: PathTruth, size: ImageSize, dialect: Dialect) -> Answer:
    path = codec.read(reply, "path", size, dialect, catalogue.DIALECTS.values())
    assert isinstance(path, ImagePath), "a path was asked for"
    if truth.path.depth_m is not None and path.depth_m is None and "depth" in dialect.grammar.carries:
        raise AnswerError(f"{dialect.name} path", "depths along the path", "a path without")
    return path


def _read_depths(reply: str, truth: DepthTruth, size: ImageSize, dialect: Dialect) -> np.ndarray:
    return answers.read_depth_offsets(reply, len(truth.depth_m))


def _read_metres(reply: str, truth: MetresTruth, size: ImageSize, dialect: Dialect) -> float:
    return answers.read_metres(reply)


def _read_choice(reply: str, truth: ChoiceTruth, size: ImageSize, dialect: Dialect) -> int:
    return answers.read_choice(reply, truth.options)


def _read_progress(reply: str, truth: ProgressTruth, size: ImageSize, dialect: Dialect) -> Progress:
    return answers.read_progress(reply)


def _read_sentence(reply: str, truth: SentenceTruth, size: ImageSize, dialect: Dialect) -> str:
    if not reply.strip() or len(reply) > LONGEST_REPLY:
        raise AnswerError(
            "sentence", f"one of at most {LONGEST_REPLY} characters", f"{len(reply)} characters"
        )
    return reply.strip()


def _measure_region(answer: tuple[ImagePoint, ...], truth: RegionTruth, size: ImageSize) -> dict[str, float]:
    return {"hit_rate": hit_share(answer, truth.mask)}


def _measure_inside(answer: tuple[ImagePoint, ...], truth: InsideTruth, size: ImageSize) -> dict[str, float]:
    return {"hit_rate": box_hit_share(answer, truth.box)}


def _measure_spot(answer: tuple[ImagePoint, ...], truth: SpotTruth, size: ImageSize) -> dict[str, float]:
    distance = pixel_distance(answer[0], truth.point, size)
    return {"med": distance} | {f"sr@{limit}px": float(distance <= limit) for limit in PIXEL_THRESHOLDS}


def _measure_box(answer: tuple[ImageBox, ...], truth: BoxTruth, size: ImageSize) -> dict[str, float]:
    overlap = iou(answer[0], truth.box)
    return {"iou": overlap, "iou@0.5": float(overlap >= 0.5)}


def _measure_path(answer: ImagePath, truth: PathTruth, size: ImageSize) -> dict[str, float]:
    terms = path_errors(answer, truth.path)
    if truth.path.depth_m is not None and answer.depth_m is not None:
        terms |= depth_errors(path_depths(answer), path_depths(truth.path))
    return terms


def _measure_depths(answer: np.ndarray, truth: DepthTruth, size: ImageSize) -> dict[str, float]:
    return depth_errors(truth.depth_m[0] + answer, truth.depth_m)


def _measure_metres(answer: float, truth: MetresTruth, size: ImageSize) -> dict[str, float]:
    error = abs(answer - truth.metres)
    within = {f"ratio@{limit}%": float(error <= limit / 100 * truth.metres) for limit in DEPTH_TOLERANCES}
    return {"mad": 100 * error} | within


def _measure_choice(answer: int, truth: ChoiceTruth, size: ImageSize) -> dict[str, float]:
    return {"accuracy": float(answer == truth.option)}


def _measure_progress(answer: Progress, truth: ProgressTruth, size: ImageSize) -> dict[str, float]:
    return {
        "step_accuracy": float(answer.completed == truth.progress.completed),
        "step_mae": float(abs(answer.completed - truth.progress.completed)),
        "status_accuracy": float(answer.finished == truth.progress.finished),
    }


def _measure_sentence(answer: str, truth: SentenceTruth, size: ImageSize) -> dict[str, float]:
    return {"token_f1": token_f1(answer, truth.text), "chrf": chrf(answer, truth.text)}


def _centre(truth: InsideTruth) -> tuple[ImagePoint, ...]:
    box = truth.box
    return (ImagePoint((box.left + box.right) / 2, (box.top + box.bottom) / 2),)


_DEPTH_METRICS = (
    Metric("mad", "cm", False),
    *(Metric(f"ratio@{tolerance}%", "share of points", True, True) for tolerance in DEPTH_TOLERANCES),
    *(Metric(f"offset_ratio@{tolerance}%", "share of points", True, True) for tolerance in DEPTH_TOLERANCES),
)
_HIT_RATE = (Metric("hit_rate", "share of points", True, True),)
_PATH_METRICS = tuple(
    Metric(name, "thousandths", False) for name in ("rmse", "rmse_coordinate", "mae", "mae_coordinate")
)

TASKS: Mapping[type, Task] = {
    RegionTruth: Task(
        _read_places("points"), _measure_region, lambda truth: (deepest_point(truth.mask),), _HIT_RATE
    ),
    InsideTruth: Task(_read_places("points"), _measure_inside, _centre, _HIT_RATE),
    SpotTruth: Task(
        _read_places("points", only_one=True),
        _measure_spot,
        lambda truth: (truth.point,),
        (
            Metric("med", "px", False),
            *(Metric(f"sr@{limit}px", "share of questions", True, True) for limit in PIXEL_THRESHOLDS),
        ),
    ),
    BoxTruth: Task(
        _read_places("boxes", only_one=True),
        _measure_box,
        lambda truth: (truth.box,),
        (Metric("iou@0.5", "share of questions", True, True), Metric("iou", "mean", True)),
    ),
    PathTruth: Task(_read_path, _measure_path, lambda truth: truth.path, (*_PATH_METRICS, *_DEPTH_METRICS)),
    DepthTruth: Task(
        _read_depths, _measure_depths, lambda truth: truth.depth_m - truth.depth_m[0], _DEPTH_METRICS
    ),
    MetresTruth: Task(
        _read_metres,
        _measure_metres,
        lambda truth: truth.metres,
        (
            Metric("mad", "cm", False),
            *(Metric(f"ratio@{limit}%", "share of questions", True, True) for limit in DEPTH_TOLERANCES),
        ),
    ),
    ChoiceTruth: Task(
        _read_choice,
        _measure_choice,
        lambda truth: truth.option,
        (Metric("accuracy", "share of questions", True, True),),
    ),
    ProgressTruth: Task(
        _read_progress,
        _measure_progress,
        lambda truth: truth.progress,
        (
            Metric("step_accuracy", "share of questions", True, True),
            Metric("step_mae", "steps", False),
            Metric("status_accuracy", "share of questions", True, True),
        ),
    ),
    SentenceTruth: Task(
        _read_sentence,
        _measure_sentence,
        lambda truth: truth.text,
        (Metric("token_f1", "mean", True), Metric("chrf", "mean", True)),
    ),
}
