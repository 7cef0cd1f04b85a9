"""Laws of the intervals and tests, and figures printed in textbooks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from kinesight.envs.metaworld_tables import SP11
from kinesight.evaluation.statistics import (
    DIFFICULTY,
    Z_95,
    Interval,
    Proportion,
    groups_of,
    holm,
    mcnemar,
    paired_counts,
    permutation_p,
    proportion,
    tango_interval,
)

counts = st.integers(0, 60)


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"), [(18, 18, 82, 100), (5, 18, 13, 51), (22, 27, 63, 92)]
)
def test_wilson_published(successes: int, episodes: int, low: int, high: int) -> None:
    interval = Proportion(successes, episodes).wilson_95
    assert 100 * interval.low == pytest.approx(low, abs=0.51)
    assert 100 * interval.high == pytest.approx(high, abs=0.51)


@given(st.integers(1, 300), st.data())
def test_wilson_equals_scipy_and_mirrors(episodes: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, episodes))
    interval = Proportion(successes, episodes).wilson_95
    theirs = binomtest(successes, episodes).proportion_ci(0.95, method="wilson")
    assert interval.low == pytest.approx(theirs.low, abs=1e-12)
    assert interval.high == pytest.approx(theirs.high, abs=1e-12)
    mirrored = Proportion(episodes - successes, episodes).wilson_95
    assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-9)
    p = successes / episodes
    assert p in Interval(interval.low - 1e-12, interval.high + 1e-12)


def test_textbook_paired_tables() -> None:
    # Agresti, Categorical Data Analysis, table 10.1: 1,600 voters asked twice.
    approval = tango_interval(150, 86, 1600)
    assert approval.low == pytest.approx(0.021, abs=1e-3)
    assert approval.high == pytest.approx(0.059, abs=1e-3)
    # Bentur et al. 2009 in Fagerland, Lydersen & Laake (2014): 1, 1, 7, 12.
    bentur = tango_interval(1, 7, 21)
    assert (round(bentur.low, 3), round(bentur.high, 3)) == (-0.517, -0.026)
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)


@given(counts, counts, counts)
def test_tango_mirrors_holds_the_estimate_and_agrees_with_the_score_test(b: int, c: int, rest: int) -> None:
    pairs = b + c + rest + 1
    interval, mirrored = tango_interval(b, c, pairs), tango_interval(c, b, pairs)
    assert interval.low == pytest.approx(-mirrored.high, abs=1e-8)
    assert interval.low - 1e-9 <= (b - c) / pairs <= interval.high + 1e-9
    statistic = abs(b - c) / math.sqrt(b + c) if b + c else 0.0
    if abs(statistic - Z_95) > 1e-6:
        assert (0.0 in interval) == (statistic < Z_95)


@pytest.mark.parametrize("pairs", [1, 10, 825])
def test_tango_without_discordance_has_a_closed_form(pairs: int) -> None:
    limit = Z_95**2 / (pairs + Z_95**2)
    interval = tango_interval(0, 0, pairs)
    assert (interval.low, interval.high) == (pytest.approx(-limit), pytest.approx(limit))


def test_tango_ends_at_one() -> None:
    assert tango_interval(12, 0, 12).high == pytest.approx(1.0)
    assert tango_interval(0, 12, 12).low == pytest.approx(-1.0)


@given(counts, counts)
def test_mcnemar_is_a_symmetric_sign_test(b: int, c: int) -> None:
    assert mcnemar(b, c) == pytest.approx(mcnemar(c, b))
    assert mcnemar(b, c) == pytest.approx(binomtest(b, b + c, 0.5).pvalue if b + c else 1.0)


outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(outcomes)
def test_permutation_with_single_cases_is_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    table = paired_counts(first, second)
    assert permutation_p(first, second, range(len(pairs))) == pytest.approx(table.mcnemar_p)
    assert table.pairs == len(pairs)
    assert table.difference == pytest.approx(np.mean(first) - np.mean(second))


def test_copied_cases_add_no_evidence_to_a_permutation() -> None:
    first, second = [True] * 6 + [False], [False] * 6 + [True]
    once = permutation_p(first, second, range(7))
    thrice = permutation_p(first * 3, second * 3, list(range(7)) * 3)
    assert thrice == pytest.approx(once)
    assert paired_counts(first * 3, second * 3).mcnemar_p < once


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="successes <= episodes"):
        Proportion(3, 2)
    with pytest.raises(ValueError, match="an episode at least"):
        proportion([])
    with pytest.raises(ValueError, match="got 2 and 1"):
        paired_counts([True, False], [True])


def test_difficulty_lists_the_eleven_tasks_once() -> None:
    tasks = [task for group in DIFFICULTY.values() for task in group]
    assert sorted(tasks) == sorted(SP11)
    assert groups_of(SP11).keys() == DIFFICULTY.keys()
    assert {task for group in groups_of(SP11).values() for task in group} == set(SP11)


def test_groups_are_there_where_tasks_of_several_are_and_no_others() -> None:
    assert groups_of(["hammer", "door-open", "basketball"]) == {
        "easy": ("door-open",),
        "medium": ("hammer", "basketball"),
    }
    assert groups_of(["door-open", "door-close"]) == {}
    assert groups_of(["door-open", "hammer", "reach"]) == {}


def test_holm_as_printed() -> None:
    # By hand: 3 x .01; 2 x .03; 1 x .04, which may not fall below the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.5]) == (1.0, 1.0)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_raw_p_and_bonferroni_and_keeps_the_order(raw: list[float]) -> None:
    corrected = holm(raw)
    for p, q in zip(raw, corrected, strict=True):
        assert p <= q <= min(1.0, len(raw) * p)
    by_raw = [q for _, q in sorted(zip(raw, corrected, strict=True))]
    assert by_raw == sorted(by_raw)
    smallest = raw.index(min(raw))
    assert corrected[smallest] == pytest.approx(min(1.0, len(raw) * raw[smallest]))


@given(st.permutations(range(6)))
def test_holm_does_not_depend_on_the_order_of_the_tests(order: list[int]) -> None:
    raw = [0.001, 0.01, 0.02, 0.03, 0.2, 0.9]
    assert holm([raw[i] for i in order]) == tuple(holm(raw)[i] for i in order)
