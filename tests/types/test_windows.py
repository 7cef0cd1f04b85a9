"""The frame rules as laws: within bounds, uniform where they draw, ends where they promise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.types.errors import UsageError
from kinesight.types.windows import (
    EpisodeBounds,
    FineSpread,
    GoalWithin,
    NextKeyframes,
    Offsets,
    Spread,
    Take,
    WindowSpec,
    fine_clock,
)


@st.composite
def starts_and_bounds(draw):
    last = draw(st.lists(st.integers(1, 300), min_size=1, max_size=8))
    starts = [draw(st.integers(0, each - 1)) for each in last]
    count = draw(st.integers(1, 5))
    keyframes = np.full((len(last), count), -1)
    for row, each in zip(keyframes, last, strict=True):
        chosen = sorted(draw(st.sets(st.integers(0, each), max_size=count)))
        row[: len(chosen)] = chosen
    fine = np.zeros((len(last), max(last) + 1), bool)
    for row, each in zip(fine, last, strict=True):
        for begin, length in draw(st.lists(st.tuples(st.integers(0, each), st.integers(1, 60)), max_size=3)):
            row[begin : min(begin + length, each + 1)] = True
    return np.array(starts), EpisodeBounds(np.array(last), keyframes, fine)


RULES = (
    Offsets((-5, 0, 3)),
    Offsets((0,)),
    GoalWithin(1, 20),
    GoalWithin(0, 0),
    Spread(8),
    Spread(1),
    NextKeyframes(2),
    FineSpread(8),
    FineSpread(1),
)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@settings(deadline=None)
@given(data=starts_and_bounds(), seed=st.integers(0, 2**32))
def test_indices_lie_in_the_episode(rule, data, seed):
    starts, bounds = data
    indices, valid = rule(starts, bounds, np.random.default_rng(seed))
    assert indices.shape == valid.shape
    assert indices.shape[0] == len(starts)
    assert np.all((indices >= 0) & (indices <= bounds.last[:, None]))


@settings(deadline=None)
@given(data=starts_and_bounds())
def test_offsets_are_valid_where_they_are_kept(data):
    starts, bounds = data
    rule = Offsets((-7, -1, 0, 1, 50))
    indices, valid = rule(starts, bounds, np.random.default_rng(0))
    wanted = starts[:, None] + np.array(rule.offsets)
    assert np.array_equal(valid, indices == wanted)


@settings(deadline=None)
@given(data=starts_and_bounds(), seed=st.integers(0, 2**32))
def test_goal_lies_in_its_window_or_at_the_end(data, seed):
    starts, bounds = data
    goals, valid = GoalWithin(3, 20)(starts, bounds, np.random.default_rng(seed))
    assert valid.all()
    assert np.all(goals[:, 0] >= np.minimum(starts + 3, bounds.last))
    assert np.all(goals[:, 0] <= starts + 20)


@pytest.mark.parametrize(("start", "expected"), [(10, range(11, 31)), (95, range(96, 101)), (100, [100])])
def test_goal_is_uniform_over_the_frames_that_are_left(start, expected):
    n = 40_000
    bounds = EpisodeBounds(np.full(n, 100))
    goals, _ = GoalWithin(1, 20)(np.full(n, start), bounds, np.random.default_rng(1))
    found, counts = np.unique(goals, return_counts=True)
    assert list(found) == list(expected)
    share = 1 / len(found)
    assert np.all(np.abs(counts / n - share) < 5 * np.sqrt(share / n))


@settings(deadline=None)
@given(data=starts_and_bounds(), count=st.integers(2, 12))
def test_spread_runs_from_the_start_to_the_last_frame(data, count):
    starts, bounds = data
    indices, valid = Spread(count)(starts, bounds, np.random.default_rng(0))
    assert valid.all()
    assert np.array_equal(indices[:, 0], starts)
    assert np.array_equal(indices[:, -1], bounds.last)
    steps = np.diff(indices, axis=1)
    assert np.all(steps.max(axis=1) - steps.min(axis=1) <= 1 + 1e-9)


@settings(deadline=None)
@given(data=starts_and_bounds(), count=st.integers(1, 12), rate=st.sampled_from([1.0, 2.0, 5.0]))
def test_fine_spread_rises_from_the_start_to_the_last_frame(data, count, rate):
    starts, bounds = data
    indices, valid = FineSpread(count, rate)(starts, bounds, np.random.default_rng(0))
    assert valid.all()
    assert np.array_equal(indices[:, 0], starts)
    assert count == 1 or np.array_equal(indices[:, -1], bounds.last)
    assert np.all(np.diff(indices, axis=1) >= 0)


@settings(deadline=None)
@given(data=starts_and_bounds(), count=st.integers(1, 12), everywhere=st.booleans())
def test_without_a_contrast_fine_spread_is_spread(data, count, everywhere):
    starts, bounds = data
    assert bounds.fine is not None
    same = replace(bounds, fine=np.full_like(bounds.fine, everywhere))
    even, _ = Spread(count)(starts, bounds, np.random.default_rng(0))
    for other, rate in ((same, 5.0), (bounds, 1.0)):
        indices, _ = FineSpread(count, rate)(starts, other, np.random.default_rng(0))
        # Halves may be rounded to either side.
        assert np.abs(indices - even).max() <= 1


@pytest.mark.parametrize("rate", [1.0, 2.0, 5.0])
@pytest.mark.parametrize(("begin", "end"), [(3000, 4000), (0, 2500), (7000, 10_000)])
def test_fine_frames_are_taken_at_the_rate(rate, begin, end):
    fine = np.zeros((1, 10_001), bool)
    fine[0, begin : end + 1] = True
    bounds = EpisodeBounds(np.array([10_000]), fine=fine)
    indices, _ = FineSpread(1001, rate)(np.array([0]), bounds, np.random.default_rng(0))
    inside = ((indices >= begin) & (indices < end)).sum()
    coarse = 10_000 - (end - begin)
    assert (inside / (end - begin)) / ((1001 - inside) / coarse) == pytest.approx(rate, rel=0.02)


@settings(deadline=None, max_examples=50)
@given(data=starts_and_bounds())
def test_fine_frames_are_even_on_the_fine_clock(data):
    starts, bounds = data
    indices, _ = FineSpread(6)(starts, bounds, np.random.default_rng(0))
    clock = fine_clock(bounds, 5.0)
    shown = np.take_along_axis(clock, indices, 1)
    even = np.linspace(shown[:, 0], shown[:, -1], 6, axis=1)
    # A frame is half a step off at most, which is 2.5 on the clock.
    assert np.all(np.abs(shown - even) <= 2.5)
    assert np.array_equal(indices[:, [0, -1]], np.stack([starts, bounds.last], axis=1))


@settings(deadline=None)
@given(data=starts_and_bounds())
def test_next_keyframes_are_the_first_ones_after_the_start(data):
    starts, bounds = data
    indices, valid = NextKeyframes(3)(starts, bounds, np.random.default_rng(0))
    assert bounds.keyframes is not None
    for row, inside, start, frames in zip(indices, valid, starts, bounds.keyframes, strict=True):
        assert list(row[inside]) == [frame for frame in frames if frame > start][:3]


def test_takes_that_share_a_rule_share_its_draw():
    rule = GoalWithin(1, 50)
    spec = WindowSpec({"a": Take("x", rule), "b": Take("y", rule), "c": Take("z", GoalWithin(1, 50))})
    starts, bounds = np.zeros(64, int), EpisodeBounds(np.full(64, 100))
    drawn = spec.indices(starts, bounds, np.random.default_rng(0))
    assert np.array_equal(drawn["a"][0], drawn["b"][0])
    assert not np.array_equal(drawn["a"][0], drawn["c"][0])


def test_wrong_rules_are_answered():
    with pytest.raises(UsageError, match="nearest"):
        GoalWithin(5, 2)
    with pytest.raises(UsageError, match="key frames"):
        NextKeyframes(1)(np.array([0]), EpisodeBounds(np.array([3])), np.random.default_rng(0))
    with pytest.raises(UsageError, match="derive the key 'fine'"):
        FineSpread(4)(np.array([0]), EpisodeBounds(np.array([3])), np.random.default_rng(0))
    for count, rate in ((0, 5.0), (4, 0.5), (4, float("inf"))):
        with pytest.raises(UsageError, match="FineSpread needs count >= 1"):
            FineSpread(count, rate)
