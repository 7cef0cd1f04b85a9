"""Tasks in a row, counted as CALVIN does (Mees et al. 2022): the first, the first two, …, and the average.

A chain ends at the first task that is not done, so the shares fall from place to place and the average number
is their sum. An episode belongs to a chain when its metrics hold "tasks" and "tasks_done".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinesight.evaluation.bootstrap import bootstrap_interval
from kinesight.evaluation.errors import error_of
from kinesight.evaluation.statistics import Interval, Proportion, proportion
from kinesight.types.results import EpisodeResult

TASKS, DONE, VOID = "tasks", "tasks_done", "void"
"""Two metrics and a kind of event."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Chains of one length."""

    in_a_row: tuple[Proportion, ...]
    """At place k the chains whose first k + 1 tasks were done."""
    average: float
    """Tasks done in a row."""
    average_95: Interval
    """By resampling chains; too narrow for a handful of them, without width where all are equal."""
    void: int
    """Chains that ended because a task was solved as it began; it does not count as done."""

    @property
    def count(self) -> int:
        return self.in_a_row[0].episodes


def chains_of(episodes: Sequence[EpisodeResult]) -> Chains | None:
    """None where no episode is a chain; of several lengths the longest gives the places.

    An episode that an error ended before it began counts beside chains as one without a task done.
    """
    chains = [episode for episode in episodes if TASKS in episode.metrics]
    if not chains:
        return None
    unbegun = [episode for episode in episodes if TASKS not in episode.metrics and error_of(episode)]
    done = np.array([chain.metrics[DONE] for chain in chains] + [0.0] * len(unbegun))
    length = int(max(chain.metrics[TASKS] for chain in chains))
    return Chains(
        in_a_row=tuple(proportion((done >= place).tolist()) for place in range(1, length + 1)),
        average=float(done.mean()),
        average_95=bootstrap_interval(done),
        void=sum(any(event.kind == VOID for event in chain.events) for chain in chains),
    )
