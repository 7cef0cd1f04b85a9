"""Does a judge's score of an imagined video say whether the episode succeeds?

Success by quartile of the score, and the area under the ROC curve: the chance that a success has a higher
score than a failure (1/2: the score says nothing). Its interval is DeLong's, in the form of Obuchowski
(Biometrics 53, 1997) for clusters: cameras and starts that share a layout are not independent.

A judge may know no more than which task is easy. So the area is also given within tasks, where a success is
compared with failures of its own task only.

The weights of the judge's terms can be fitted, by logistic regression without negative weights, on other
seeds than those that the calibration is made on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from kinesight.evaluation.results import Results
from kinesight.evaluation.statistics import Z_95, Interval, Proportion, proportion, wilson_interval
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UsageError
from kinesight.types.results import EpisodeResult

FOLLOWED = ("accept", "keep", "judge")
"""Kinds of event with a judgement of a video that was followed; a rejected one has no outcome."""
GROUPS = 4
ENOUGH_EPISODES, ENOUGH_FAILURES = 200, 40
"""From so many on a calibration can be relied on; the intervals of fewer are wide, and a warning says so."""
RIDGE = 1e-3
"""Penalty on the squares of the fitted weights, per episode."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An episode's outcome beside the judgement of the first video that it followed."""

    case: Case
    success: bool
    score: float
    terms: Mapping[str, float] = field(default_factory=dict)
    """Those that could be measured."""


@dataclass(frozen=True, slots=True)
class Group:
    """Episodes with neighbouring scores."""

    lowest: float
    highest: float
    success: Proportion


@dataclass(frozen=True, slots=True)
class Area:
    """Area under the ROC curve with a 95 % interval."""

    value: float
    interval: Interval
    successes: int
    failures: int


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learned from the episodes set aside for it."""

    weights: Mapping[str, float]
    """Shares of the terms, adding up to 1."""
    threshold: float
    """Score that separates success from failure best there (Youden's index)."""
    episodes: int
    failures: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a score does on episodes that it was not fitted to."""

    name: str
    episodes: tuple[Judged, ...]
    groups: tuple[Group, ...]
    area: Area
    within_tasks: Area | None
    """None where no task has two layouts with a success and two with a failure."""


def judged_episodes(results: Sequence[Results]) -> tuple[Judged, ...]:
    """One a case, but for those whose video has no score because nothing of it could be measured.

    Episodes of several results must be of different cases.
    """
    found: dict[Case, Judged | None] = {}
    for result in results:
        for episode in result.episodes:
            if episode.case in found:
                raise UsageError(f"the results hold a case twice: {episode.case}")
            found[episode.case] = _judged(result.agent, episode)
    return tuple(each for each in found.values() if each is not None)


def left_out(episodes: int, judged: int) -> tuple[str, ...]:
    """A note where not all episodes have a score."""
    if judged == episodes:
        return ()
    return (
        f"{episodes - judged} of {episodes} episodes are left out: no term that counts could be measured",
    )


def too_few(episodes: Sequence[Judged]) -> tuple[str, ...]:
    """A warning where there are fewer episodes, or fewer failures, than can be relied on."""
    failures = sum(not each.success for each in episodes)
    if len(episodes) >= ENOUGH_EPISODES and failures >= ENOUGH_FAILURES:
        return ()
    return (
        f"{len(episodes)} episodes with {failures} failures prove little: a calibration to rely on has "
        f"{ENOUGH_EPISODES} episodes and {ENOUGH_FAILURES} failures at least",
    )


def calibrate(name: str, episodes: Sequence[Judged]) -> Calibration:
    """Needs a success and a failure, and as many episodes as there are groups."""
    outcomes = [each.success for each in episodes]
    if len(episodes) < GROUPS or len(set(outcomes)) < 2:
        raise DataError(
            f"a calibration needs {GROUPS} episodes, successes and failures, got {len(episodes)} episodes "
            f"with {sum(outcomes)} successes"
        )
    scores = np.array([each.score for each in episodes])
    return Calibration(
        name=name,
        episodes=tuple(episodes),
        groups=quartiles(scores, outcomes),
        area=area_under_roc(scores, outcomes, [layout(each.case) for each in episodes]),
        within_tasks=area_within(episodes),
    )


def quartiles(scores: Float[np.ndarray, "n"], outcomes: Sequence[bool]) -> tuple[Group, ...]:
    """Groups of equal size in rising order of the score; ties go by the order of the episodes."""
    order = np.argsort(scores, kind="stable")
    return tuple(
        Group(
            float(scores[part].min()), float(scores[part].max()), proportion(bool(outcomes[i]) for i in part)
        )
        for part in np.array_split(order, GROUPS)
    )


def area_under_roc(
    scores: Float[np.ndarray, "n"], outcomes: Sequence[bool], clusters: Sequence[object]
) -> Area:
    """The area and its interval, which is symmetric on the logit scale.

    Where all successes score higher than all failures, or everything ties, the estimated variance is zero;
    the interval then is Wilson's for as many trials as the rarer outcome has.
    """
    value, variance = _area_and_variance(scores, np.asarray(outcomes, bool), clusters)
    successes = int(np.sum(outcomes))
    return _with_interval(value, variance, successes, len(outcomes) - successes)


def area_within(episodes: Sequence[Judged]) -> Area | None:
    """The area over pairs of one task. Tasks count by their number of pairs and are independent."""
    parts, total = [], 0
    successes = failures = 0
    for task in dict.fromkeys(each.case.task for each in episodes):
        own = [each for each in episodes if each.case.task == task]
        outcomes = np.array([each.success for each in own])
        layouts = [layout(each.case) for each in own]
        if min(len({k for k, o in zip(layouts, outcomes, strict=True) if o is v}) for v in _BOTH) < 2:
            continue
        pairs = int(outcomes.sum() * (~outcomes).sum())
        scores = np.array([each.score for each in own])
        parts.append((pairs, *_area_and_variance(scores, outcomes, layouts)))
        total, successes = total + pairs, successes + int(outcomes.sum())
        failures += int((~outcomes).sum())
    if not parts:
        return None
    value = sum(pairs * area for pairs, area, _ in parts) / total
    variance = sum((pairs / total) ** 2 * each for pairs, _, each in parts)
    return _with_interval(value, variance, successes, failures)


def fit_weights(episodes: Sequence[Judged]) -> Fit:
    """Weights and threshold from these episodes; they need every term once, a success and a failure.

    For the regression a term that could not be measured has the mean of those that could; the threshold is
    one of scores as the judge will give them.
    """
    names = tuple(dict.fromkeys(name for each in episodes for name in each.terms))
    outcomes = np.array([each.success for each in episodes], bool)
    if not names or outcomes.all() or not outcomes.any():
        raise DataError(
            f"weights are fitted to terms, successes and failures, got {len(episodes)} episodes with "
            f"{int(outcomes.sum())} successes and the terms {', '.join(names) or 'none'}"
        )
    means = {name: _mean_term(episodes, name) for name in names}
    weights = logistic_weights(_matrix(episodes, means), outcomes)
    if not weights.sum():
        raise DataError(
            f"no term rises with success in {len(episodes)} episodes; keep the weights that there are"
        )
    shares = dict(zip(names, (weights / weights.sum()).tolist(), strict=True))
    scored = _weighted(episodes, shares)
    threshold = best_threshold(
        np.array([each.score for each in scored]), np.array([each.success for each in scored])
    )
    return Fit(shares, threshold, len(episodes), int((~outcomes).sum()))


def rescored(episodes: Sequence[Judged], fit: Fit) -> tuple[Judged, ...]:
    """The episodes with the score that a judge of these weights gives; those without one are left out."""
    return _weighted(episodes, fit.weights)


def logistic_weights(terms: Float[np.ndarray, "n d"], outcomes: Bool[np.ndarray, "n"]) -> np.ndarray:
    """Coefficients [d], none negative, of the logistic regression of outcomes on terms (with intercept)."""
    from scipy.optimize import minimize

    signs = np.where(outcomes, 1.0, -1.0)
    inputs = np.concatenate([terms, np.ones((len(terms), 1))], axis=1)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signs * (inputs @ weights)
        slope = -signs / (1 + np.exp(np.clip(margins, -500, 500)))
        gradient = inputs.T @ slope / len(inputs)
        gradient[:-1] += 2 * RIDGE * weights[:-1]
        return float(np.logaddexp(0, -margins).mean() + RIDGE * (weights[:-1] ** 2).sum()), gradient

    bounds = [(0, None)] * terms.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x[:-1])


def best_threshold(scores: Float[np.ndarray, "n"], outcomes: Bool[np.ndarray, "n"]) -> float:
    """The score from which to accept: largest share of successes kept minus share of failures kept."""
    candidates = np.unique(scores)
    kept = scores[None] >= candidates[:, None]
    gain = kept[:, outcomes].mean(axis=1) - kept[:, ~outcomes].mean(axis=1)
    return float(candidates[int(np.argmax(gain))])


def split(episodes: Sequence[Judged], seeds: Sequence[int]) -> tuple[tuple[Judged, ...], tuple[Judged, ...]]:
    """(episodes with these seeds, the others); both must hold some."""
    inside = tuple(each for each in episodes if each.case.seed in seeds)
    others = tuple(each for each in episodes if each.case.seed not in seeds)
    if not inside or not others:
        known = sorted({each.case.seed for each in episodes})
        raise UsageError(
            f"seeds to fit on must leave others to calibrate on, got {sorted(seeds)} of "
            f"{known[0]} … {known[-1]}"
        )
    return inside, others


def layout(case: Case) -> tuple[object, ...]:
    """What episodes that are not independent share; a seed's layout is the same at both starts."""
    return case.env, case.task, case.seed, case.split, case.variation


_BOTH = (np.True_, np.False_)


def _judged(agent: str, episode: EpisodeResult) -> Judged | None:
    event = next((each for each in episode.events if each.kind in FOLLOWED), None)
    if event is None:
        raise DataError(
            f"results of {agent!r}: no video was judged in {episode.case}; the agent needs a critic, see "
            "kinesight judge --help"
        )
    if "score" not in event.values:
        return None
    terms = {name: value for name, value in event.values.items() if name != "score"}
    return Judged(episode.case, episode.success, event.values["score"], terms)


def _mean_term(episodes: Sequence[Judged], name: str) -> float:
    return float(np.mean([each.terms[name] for each in episodes if name in each.terms]))


def _weighted(episodes: Sequence[Judged], weights: Mapping[str, float]) -> tuple[Judged, ...]:
    """Scored as the video judge does: by the terms that could be measured, if any of them counts."""
    scored = []
    for each in episodes:
        known = {name: value for name, value in each.terms.items() if name in weights}
        total = sum(weights[name] for name in known)
        if total:
            score = sum(weights[name] * value for name, value in known.items()) / total
            scored.append(Judged(each.case, each.success, score, each.terms))
    return tuple(scored)


def _matrix(episodes: Sequence[Judged], means: Mapping[str, float]) -> Float[np.ndarray, "n d"]:
    return np.array([[each.terms.get(name, mean) for name, mean in means.items()] for each in episodes])


def _area_and_variance(
    scores: Float[np.ndarray, "n"], outcomes: Bool[np.ndarray, "n"], clusters: Sequence[object]
) -> tuple[float, float]:
    """Obuchowski's clustered estimate; with one episode a cluster it is DeLong's."""
    higher, lower = scores[outcomes], scores[~outcomes]
    won = (higher[:, None] > lower[None]) + 0.5 * (higher[:, None] == lower[None])
    value = float(won.mean())
    numbers = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
    of = np.array([numbers[cluster] for cluster in clusters])
    ups = _by_cluster(won.mean(axis=1) - value, of[outcomes], len(numbers))
    downs = _by_cluster(won.mean(axis=0) - value, of[~outcomes], len(numbers))
    m, n = len(higher), len(lower)
    with_ups, with_downs = len(np.unique(of[outcomes])), len(np.unique(of[~outcomes]))
    variance = _sample_factor(with_ups) * (ups**2).sum() / m**2
    variance += _sample_factor(with_downs) * (downs**2).sum() / n**2
    variance += 2 * _sample_factor(len(numbers)) * (ups * downs).sum() / (m * n)
    return value, float(max(variance, 0.0))


def _by_cluster(
    values: Float[np.ndarray, "n"], cluster: np.ndarray, count: int
) -> Float[np.ndarray, "clusters"]:
    return np.bincount(cluster, weights=values, minlength=count)


def _sample_factor(count: int) -> float:
    """n / (n - 1), the correction of a sample's variance; one cluster has none to tell."""
    return count / (count - 1) if count > 1 else 0.0


def _with_interval(value: float, variance: float, successes: int, failures: int) -> Area:
    if not 0 < value < 1 or not variance:
        rarer = min(successes, failures)
        low = wilson_interval(math.floor(value * rarer), rarer).low
        high = wilson_interval(math.ceil(value * rarer), rarer).high
        return Area(value, Interval(min(low, value), max(high, value)), successes, failures)
    logit, half = np.log(value / (1 - value)), Z_95 * variance**0.5 / (value * (1 - value))
    low, high = (float(1 / (1 + np.exp(-(logit + side * half)))) for side in (-1, 1))
    return Area(value, Interval(low, high), successes, failures)
