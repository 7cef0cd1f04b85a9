"""How well an agent foresaw what came, over the episodes of an evaluation, which it never learned from.

A `foresight` event says for one moment how far each kind of prediction is from what came: values
"NAME/STEPS", the mean absolute difference where something moves, of the full range of a colour. "present"
repeats the present frame, which every prediction has to beat; "other codes" draws with the true codes of the
moment compared before, which true codes have to beat if they say more than what task and scene it is. "codes
right" is the share of predicted codes that are the true ones, "other codes right" that of those of the moment
before, which it has to beat in turn.
"depth_m/4" is depth in metres over the whole picture, "depth_m present/4" that of the present depth.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinesight.evaluation.bootstrap import bootstrap_interval
from kinesight.types.results import EpisodeResult

KIND = "foresight"
CODES_RIGHT, OTHER_RIGHT, DEPTH = "codes right", "other codes right", "depth_m"
VALUE = re.compile(rf"{CODES_RIGHT}|{OTHER_RIGHT}|.+/\d+")


@dataclass(frozen=True, slots=True)
class Mean:
    """Of one value, over episodes: each counts with the mean of its moments."""

    episodes: int
    mean: float
    bootstrap_95: tuple[float, float]
    """By resampling episodes."""


def foresight_of(episodes: Sequence[EpisodeResult]) -> dict[str, Mean]:
    """Value name -> mean, in the order in which they turn up; empty where nothing was foreseen."""
    found: dict[str, list[float]] = {}
    for episode in episodes:
        moments: dict[str, list[float]] = {}
        for event in episode.events:
            for name, value in event.values.items() if event.kind == KIND else ():
                if VALUE.fullmatch(name):  # results of before have others
                    moments.setdefault(name, []).append(value)
        for name, values in moments.items():
            found.setdefault(name, []).append(float(np.mean(values)))
    return {name: _mean(np.array(values)) for name, values in found.items()}


def _mean(values: Float[np.ndarray, "n"]) -> Mean:
    interval = bootstrap_interval(values)
    return Mean(len(values), float(values.mean()), (interval.low, interval.high))


@dataclass(frozen=True, slots=True)
class ForesightTable:
    """Rows by steps ahead, columns by what was drawn; None where there is no such value."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[Mean | None, ...]], ...]
    codes_right: Mean | None
    """Share of predicted codes that are the true ones."""
    other_right: Mean | None
    """The same of the true codes of the moment compared before."""
    depth_m: tuple[tuple[int, Mean, Mean | None], ...]
    """Steps ahead, the mean error of foretold depth, and that of the present depth [m]."""


def foresight_table(episodes: Sequence[EpisodeResult]) -> ForesightTable | None:
    """None where nothing was foreseen."""
    found = foresight_of(episodes)
    if not found:
        return None
    split = [(*name.rpartition("/")[::2], mean) for name, mean in found.items() if "/" in name]
    drawn = {(name, int(steps)): mean for name, steps, mean in split if not name.startswith(DEPTH)}
    columns = tuple(dict.fromkeys(name for name, _ in drawn))
    ahead = sorted({steps for _, steps in drawn})
    return ForesightTable(
        columns=columns,
        rows=tuple((steps, tuple(drawn.get((name, steps)) for name in columns)) for steps in ahead),
        codes_right=found.get(CODES_RIGHT),
        other_right=found.get(OTHER_RIGHT),
        depth_m=tuple(
            (int(steps), mean, found.get(f"{DEPTH} present/{steps}"))
            for name, steps, mean in split
            if name == DEPTH
        ),
    )
