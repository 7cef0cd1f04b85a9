"""How sure a success rate is, and whether two agents differ on the same cases.

One rate: Wilson's score interval. Two agents on the same cases: McNemar's exact test on the discordant pairs
and Tango's score interval for the difference of paired proportions (Statistics in Medicine 17, 1998), which
is McNemar's asymptotic test turned into an interval: it holds zero exactly when |b - c| / sqrt(b + c) < 1.96.

Both treat cases as independent. Several cameras that look at one layout are not; `permutation_p` swaps the
two agents a whole layout at a time and equals McNemar's exact test where every layout has one case.

Closed forms, tested against SciPy: importing `scipy.stats` would cost every worker a second.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from kinesight.envs.metaworld_tables import DIFFICULTY

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits of a 95 % interval."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Proportion:
    """Successes out of episodes."""

    successes: int
    episodes: int

    def __post_init__(self) -> None:
        if self.episodes < 1 or not 0 <= self.successes <= self.episodes:
            raise ValueError(f"expected 0 <= successes <= episodes and an episode at least, got {self}")

    @property
    def rate(self) -> float:
        return self.successes / self.episodes

    @cached_property
    def wilson_95(self) -> Interval:
        return wilson_interval(self.successes, self.episodes)


@dataclass(frozen=True)
class PairedCounts:
    """Outcomes of two agents on the same cases."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def pairs(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> float:
        """Success rate of the first minus that of the second."""
        return (self.only_first - self.only_second) / self.pairs

    @cached_property
    def difference_95(self) -> Interval:
        return tango_interval(self.only_first, self.only_second, self.pairs)

    @cached_property
    def mcnemar_p(self) -> float:
        return mcnemar(self.only_first, self.only_second)


def proportion(outcomes: Iterable[bool]) -> Proportion:
    values = list(outcomes)
    return Proportion(sum(values), len(values))


def paired_counts(first: Sequence[bool], second: Sequence[bool]) -> PairedCounts:
    """Count the four outcomes of paired successes, which stand in the same order of cases."""
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"paired outcomes need equal, positive numbers of cases, got {a.size} and {b.size}")
    return PairedCounts(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))


def wilson_interval(successes: int, episodes: int, z: float = Z_95) -> Interval:
    """Wilson 1927: the rates that the score test does not reject."""
    rate, weight = successes / episodes, z**2 / episodes
    centre = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / episodes + (z / (2 * episodes)) ** 2)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p: a fair coin decides each discordant pair. 1 where no pair is discordant."""
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, count) for count in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**discordant)


def tango_interval(only_first: int, only_second: int, pairs: int, z: float = Z_95) -> Interval:
    """The differences that the score test does not reject; zero width never, not even without discordance."""

    def limit(target: float) -> float:
        low, high = -1.0, 1.0
        while high - low > 1e-12:  # the score falls with delta
            middle = (low + high) / 2
            if _score(middle, only_first, only_second, pairs) > target:
                low = middle
            else:
                high = middle
        return high if target < 0 else low

    return Interval(limit(z), limit(-z))


def _score(delta: float, only_first: int, only_second: int, pairs: int) -> float:
    """Tango's statistic at a hypothetical difference, with the constrained estimate of P(only second)."""
    linear = (2 * pairs - only_first + only_second) * delta - only_first - only_second
    constant = -only_second * delta * (1 - delta)
    second = (math.sqrt(max(linear**2 - 8 * pairs * constant, 0.0)) - linear) / (4 * pairs)
    variance = pairs * (2 * second + delta * (1 - delta))
    numerator = only_first - only_second - pairs * delta
    if variance <= 0:
        return 0.0 if numerator == 0 else math.copysign(math.inf, numerator)
    return numerator / math.sqrt(variance)


def permutation_p(first: Sequence[int], second: Sequence[int], clusters: Sequence[object]) -> float:
    """Exact two-sided p of the difference of two agents' successes, or of other whole numbers, when the two
    are swapped one whole cluster at a time."""
    totals: dict[object, int] = {}
    for a, b, cluster in zip(first, second, clusters, strict=True):
        totals[cluster] = totals.get(cluster, 0) + int(a) - int(b)
    steps = [abs(total) for total in totals.values() if total]
    reach = sum(steps)
    chance = np.zeros(2 * reach + 1)  # index: signed sum + reach
    chance[reach] = 1.0
    for step in steps:
        chance = 0.5 * (np.roll(chance, step) + np.roll(chance, -step))
    sums = np.abs(np.arange(-reach, reach + 1))
    return min(1.0, float(chance[sums >= abs(sum(totals.values()))].sum()))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm 1979: p of each of several tests, so that any false claim among them stays under the level.

    The smallest is multiplied by the number of tests, the next by one less; none falls below the one before.
    """
    corrected, reached = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = reached
    return tuple(corrected)


def groups_of(tasks: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Difficulty group -> its tasks among these; empty unless they fill two groups or more and no other."""
    found = {group: tuple(task for task in tasks if task in members) for group, members in DIFFICULTY.items()}
    found = {group: members for group, members in found.items() if members}
    return found if len(found) > 1 and sum(map(len, found.values())) == len(tasks) else {}
