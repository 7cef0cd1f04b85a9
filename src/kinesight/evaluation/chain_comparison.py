"""Several agents on the same chains: tasks in a row, and how many more than the first agent's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from kinesight.evaluation.bootstrap import bootstrap_interval
from kinesight.evaluation.chains import DONE, Chains
from kinesight.evaluation.compare import layout, p_text
from kinesight.evaluation.results import Results, Trial
from kinesight.evaluation.statistics import Interval, holm, permutation_p


@dataclass(frozen=True, slots=True)
class ChainDifference:
    """Tasks in a row, on average, more than another agent's on the same chains."""

    mean: float
    mean_95: Interval
    """By resampling chains; too narrow for a handful of them."""
    p: float
    """Exact, two-sided: the two agents are swapped one layout at a time."""
    holm_p: float | None = None
    """Corrected for the other rows of the table; None where there is no other."""

    def __str__(self) -> str:
        numbers = f"{self.mean:+.2f} ({self.mean_95.low:+.2f} to {self.mean_95.high:+.2f})"
        corrected = "" if self.holm_p is None else f", Holm's p {p_text(self.holm_p)}"
        return f"{numbers.replace('-', '−')}, p {p_text(self.p)}{corrected}"


def chain_difference(mine: Results, first: Results) -> ChainDifference | None:
    """Over the chains that both have; None where there are none."""
    own, other = _done(mine), _done(first)
    shared = [trial for trial in own if trial in other]
    if not shared or mine.chains is None or first.chains is None:
        return None
    gains = np.array([own[trial] - other[trial] for trial in shared], float)
    layouts = [layout(case) for _, case in shared]
    p = permutation_p([own[trial] for trial in shared], [other[trial] for trial in shared], layouts)
    return ChainDifference(float(gains.mean()), bootstrap_interval(gains), p)


def chain_differences(rows: Mapping[str, Results]) -> dict[str, ChainDifference]:
    """Of every row of chains but the first, to the first; p of several rows is corrected too."""
    (_, first), *others = rows.items()
    compared = {name: chain_difference(results, first) for name, results in others}
    found = {name: difference for name, difference in compared.items() if difference is not None}
    if len(found) < 2:
        return found
    corrected = holm([difference.p for difference in found.values()])
    return {
        name: replace(difference, holm_p=p)
        for (name, difference), p in zip(found.items(), corrected, strict=True)
    }


def chain_table(
    rows: Mapping[str, Chains | None], differences: Mapping[str, ChainDifference] | None = None
) -> Table:
    """For a terminal: per cent at every place, average with its interval, differences to the first row."""
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
    notes = [f"{name}: {difference}" for name, difference in (differences or {}).items()]
    if notes:
        notes.insert(0, f"difference to {next(iter(rows))}, chains paired")
    if void := sum(chains.void for chains in found.values()):
        notes.append(f"{void} ended because a task was solved as it began")
    table.caption, table.caption_justify = escape("\n".join(notes)) or None, "left"
    return table


def _done(results: Results) -> dict[Trial, int]:
    """Tasks in a row; none where an error ended the chain before it began."""
    done = (int(episode.metrics.get(DONE, 0)) for episode in results.episodes)
    return dict(zip(results.trials, done, strict=True))
