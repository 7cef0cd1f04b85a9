"""Training that ends in time on a slow machine: a recipe's `training_minutes`.

Each stage makes a few steps that are thrown away. If all steps of the recipe would take too long at this
pace, the stages get fewer. How many is decided once and written down in the run's `run.json`: from then on
training is as reproducible as with fixed steps. A stage that learns from videos of another one cannot be
timed before that is trained, and makes all its steps.
"""

import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from kinesight.experiments.recipe import Recipe, Stage
from kinesight.interfaces.model import Windows
from kinesight.training.config import TrainingConfig
from kinesight.training.loop import Batches, Seed

WARM, TIMED = 2, 5
"""Steps before the clock is read, and between its readings."""

Trainer = Callable[[Stage, Path, Callable[[Batches], Batches]], None]
"""Train a stage in a folder, with something put around its batches."""


def affordable_steps(recipe: Recipe, seconds_a_step: Mapping[str, float]) -> dict[str, int]:
    """Steps of every timed stage, no more than the recipe's, that together take at most `training_minutes`.

    Every one keeps its fewest steps, even where those take longer; what time is left is shared in proportion
    to the rest of the steps.
    """
    training = {name: recipe.stage(name).training for name in seconds_a_step}
    fewest = {name: fewest_steps(each) for name, each in training.items()}
    rest = {name: each.steps - fewest[name] for name, each in training.items()}
    spent, wanted = (sum(n * seconds_a_step[name] for name, n in some.items()) for some in (fewest, rest))
    left = max(0.0, 60 * recipe.training_minutes - spent)
    share = min(1.0, left / wanted) if wanted else 0.0
    return {name: fewest[name] + math.floor(share * rest[name]) for name in training}


def fewest_steps(training: TrainingConfig) -> int:
    """With fewer a stage is of no use."""
    return min(training.fewest_steps or training.warmup, training.steps)


def seconds_a_step(stage: Stage, trainer: Trainer) -> float:
    """Median time of a step on this machine [s]; leaves nothing behind."""
    readings: list[float] = []
    clocked: list[Batches] = []

    def around(batches: Batches) -> Batches:
        """Of all streams of a stage the first: a step asks for each of them once."""
        clocked.append(batches)
        return _read_clock(batches, readings) if len(clocked) == 1 else batches

    short = replace(stage, training=replace(stage.training, steps=WARM + TIMED + 1))
    with tempfile.TemporaryDirectory() as folder:
        trainer(short, Path(folder), around)
    # A step asks for one batch or, accumulating, for several; it lasts from its first to the next one's.
    begun = readings[WARM * stage.training.accumulate :: stage.training.accumulate]
    return statistics.median(later - earlier for earlier, later in itertools.pairwise(begun))


def _read_clock(batches: Batches, readings: list[float]) -> Batches:
    def clocked(seeds: Sequence[Seed], size: int) -> Iterator[Windows]:
        for windows in batches(seeds, size):
            if torch.cuda.is_available():
                torch.cuda.synchronize()  # the steps before may only be queued
            readings.append(time.monotonic())
            yield windows

    return clocked
