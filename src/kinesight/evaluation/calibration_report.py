"""A calibration as a table for the terminal, as JSON and as a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from kinesight.evaluation.calibration import Area, Calibration, Fit, Judged
from kinesight.types.arrays import Image
from kinesight.types.files import write_atomic
from kinesight.types.serial import to_jsonable

JSON_NAME, PICTURE_NAME = "calibration.json", "calibration.png"
_PLOT, _MARGIN = 300, 60
_INK, _GREY, _BLUE = (40, 40, 40), (205, 205, 205), (60, 90, 170)


def write_calibration(
    folder: Path, made: Sequence[Calibration], fit: Fit | None, notes: Sequence[str] = ()
) -> tuple[Path, Path]:
    """`calibration.json` and `calibration.png`, one row of the picture for every calibration.

    `notes`: what has to be known to read the figures.
    """
    document = {
        "calibrations": [to_json(each) for each in made],
        "fit": None if fit is None else asdict(fit),
        "notes": list(notes),
    }
    text, picture = folder / JSON_NAME, folder / PICTURE_NAME
    write_atomic(text, json.dumps(to_jsonable(document), indent=1) + "\n")
    rows = np.concatenate([draw(each) for each in made])
    _, data = cv2.imencode(".png", cv2.cvtColor(rows, cv2.COLOR_RGB2BGR))
    write_atomic(picture, data.tobytes())
    return text, picture


def to_json(calibration: Calibration) -> dict[str, Any]:
    """Plain values with every episode's score, so that the figures can be computed again."""
    return {
        "name": calibration.name,
        "auroc": _area_json(calibration.area),
        "auroc_within_tasks": _area_json(calibration.within_tasks),
        "interval": "DeLong, clustered by layout, logit scale, 95 %",
        "quartiles": [
            {
                "lowest": group.lowest,
                "highest": group.highest,
                "episodes": group.success.episodes,
                "success_rate": group.success.rate,
                "wilson_95": [group.success.wilson_95.low, group.success.wilson_95.high],
            }
            for group in calibration.groups
        ],
        "episodes": [
            {"case": asdict(each.case), "success": each.success, "score": each.score, "terms": each.terms}
            for each in calibration.episodes
        ],
    }


def _area_json(area: Area | None) -> dict[str, Any] | None:
    if area is None:
        return None
    return {
        "value": area.value,
        "interval_95": [area.interval.low, area.interval.high],
        "successes": area.successes,
        "failures": area.failures,
    }


def to_table(calibration: Calibration) -> Table:
    """Success by quartile of the score; the areas stand below."""
    area = calibration.area
    table = Table(
        title=escape(f"{len(calibration.episodes)} episodes, {area.failures} failures, {calibration.name}"),
        caption=escape(f"AUROC {area_text(area)}; within tasks {area_text(calibration.within_tasks)}"),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    for heading in ("quartile", "score", "solved", "success %", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "quartile" else "right", no_wrap=True)
    for name, group in zip(("lowest", "second", "third", "highest"), calibration.groups, strict=True):
        limits = group.success.wilson_95
        table.add_row(
            name,
            f"{group.lowest:.2f}–{group.highest:.2f}",
            f"{group.success.successes}/{group.success.episodes}",
            f"{100 * group.success.rate:.0f}",
            f"{100 * limits.low:.0f}–{100 * limits.high:.0f}",
        )
    return table


def area_text(area: Area | None) -> str:
    if area is None:
        return "not to be had: too few of either outcome"
    return f"{area.value:.2f} ({area.interval.low:.2f}–{area.interval.high:.2f})"


def roc(episodes: Sequence[Judged]) -> Float[np.ndarray, "n 2"]:
    """Share of failures and of successes that are accepted, for every threshold from high to low."""
    scores = np.array([each.score for each in episodes])
    outcomes = np.array([each.success for each in episodes], bool)
    kept = scores[None] >= np.append(np.unique(scores)[::-1], -np.inf)[:, None]
    points = np.stack([kept[:, ~outcomes].mean(axis=1), kept[:, outcomes].mean(axis=1)], axis=1)
    return np.concatenate([np.zeros((1, 2)), points])


def draw(calibration: Calibration) -> Image:
    """Success by quartile with its intervals (left), and the ROC curve (right)."""
    side = _PLOT + 2 * _MARGIN
    canvas = np.full((side, 2 * side, 3), 255, np.uint8)
    left, right = canvas[:, :side], canvas[:, side:]
    _frame(left, f"{calibration.name}: success by quartile of the score", "score", "success")
    for index, group in enumerate(calibration.groups):
        x, limits = (index + 0.5) / len(calibration.groups), group.success.wilson_95
        cv2.rectangle(left, _at(x - 0.09, group.success.rate), _at(x + 0.09, 0.0), _BLUE, -1)
        cv2.line(left, _at(x, limits.low), _at(x, limits.high), _INK, 2, cv2.LINE_AA)
        label = f"{group.lowest:.2f}-{group.highest:.2f}"
        cv2.putText(left, label, _moved(_at(x - 0.11, 0.0), 16), _FONT, 0.36, _INK, 1, cv2.LINE_AA)
    area = calibration.area
    title = f"AUROC {area.value:.2f} ({area.interval.low:.2f}-{area.interval.high:.2f})"
    _frame(right, title, "failures accepted", "successes accepted")
    cv2.line(right, _at(0.0, 0.0), _at(1.0, 1.0), _GREY, 1, cv2.LINE_AA)
    points = roc(calibration.episodes)
    for start, end in pairwise(points):
        cv2.line(right, _at(*start), _at(*end), _BLUE, 2, cv2.LINE_AA)
    return canvas


_FONT = cv2.FONT_HERSHEY_SIMPLEX


def _frame(plot: Image, title: str, below: str, beside: str) -> None:
    """Axes from 0 to 1 with a line at every quarter."""
    for at in (0.0, 0.25, 0.5, 0.75, 1.0):
        cv2.line(plot, _at(0.0, at), _at(1.0, at), _GREY, 1)
        cv2.putText(
            plot, f"{100 * at:.0f}", (_MARGIN - 30, _at(0.0, at)[1] + 4), _FONT, 0.38, _INK, 1, cv2.LINE_AA
        )
    cv2.rectangle(plot, _at(0.0, 1.0), _at(1.0, 0.0), _INK, 1)
    cv2.putText(plot, title, (_MARGIN, 28), _FONT, 0.42, _INK, 1, cv2.LINE_AA)
    cv2.putText(plot, f"{beside} %", (8, 48), _FONT, 0.36, _INK, 1, cv2.LINE_AA)
    cv2.putText(
        plot, below, (_MARGIN + _PLOT // 2 - 40, _MARGIN + _PLOT + 40), _FONT, 0.4, _INK, 1, cv2.LINE_AA
    )


def _at(x: float, y: float) -> tuple[int, int]:
    """Pixel of a point of the unit square."""
    return round(_MARGIN + float(x) * _PLOT), round(_MARGIN + (1 - float(y)) * _PLOT)


def _moved(point: tuple[int, int], down: int) -> tuple[int, int]:
    return point[0], point[1] + down
