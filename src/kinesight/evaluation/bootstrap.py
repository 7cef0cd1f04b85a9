"""Interval of a mean by resampling the questions (Efron 1979, percentile method).

For measures that are not counts of successes; those have Wilson's interval in `statistics.py`. Resampling is
seeded: the same values give the same interval. It knows nothing beyond the values it is given, so it is too
narrow for a handful of them, and has no width at all where they are equal.
"""

import numpy as np
from jaxtyping import Float

from kinesight.evaluation.statistics import Interval

RESAMPLES = 2000
_AT_ONCE = 1_000_000
"""Drawn indices held in memory."""


def bootstrap_interval(values: Float[np.ndarray, "n"], resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """95 % percentile interval of the mean of `values` [n]."""
    count = len(values)
    if count == 0:
        raise ValueError("an interval needs a value at least, got none")
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _AT_ONCE // count)
    for start in range(0, resamples, step):
        some = means[start : start + step]
        some[:] = values[generator.integers(0, count, (len(some), count))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(low), float(high))
