"""Tasks in a row, counted as CALVIN does (Mees et al. 2022): the first, the first two, …, and the average.

A chain ends at the first task that is not done, so the shares fall from place to place and the average number
is their sum. An episode belongs to a chain when its metrics hold "tasks" and "tasks_done".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

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


def chain_table(rows: Mapping[str, Chains | None]) -> Table:
    """For a terminal: per cent at every place, and the average with its interval."""
    found = {name: chains for name, chains in rows.items() if chains is not None}
    places = max(len(chains.in_a_row) for chains in found.values())
    table = Table(title="tasks in a row, % of the chains", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("agent", "chains", *map(str, range(1, places + 1)), "average"):
        left = heading == "agent"
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left)
    for name, chains in found.items():
        shares = [f"{100 * share.rate:.0f}" for share in chains.in_a_row]
        shares += ["–"] * (places - len(shares))
        interval = chains.average_95
        average = f"{chains.average:.2f} ({interval.low:.2f}–{interval.high:.2f})"
        table.add_row(escape(name), str(chains.count), *shares, average)
    if void := sum(chains.void for chains in found.values()):
        table.caption = f"{void} ended because a task was solved as it began"
    return table
