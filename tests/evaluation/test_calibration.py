"""Calibration against closed forms and simulated judges."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation_samples import results
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.agents.spatial_policy import judgement
from kinesight.evaluation.calibration import (
    GROUPS,
    Judged,
    area_under_roc,
    area_within,
    best_threshold,
    calibrate,
    fit_weights,
    judged_episodes,
    left_out,
    logistic_weights,
    quartiles,
    rescored,
    split,
    too_few,
)
from kinesight.evaluation.calibration_report import draw, roc, to_json, to_table, write_calibration
from kinesight.evaluation.results import Results
from kinesight.types.case import Case
from kinesight.types.decision import Event, Verdict
from kinesight.types.errors import DataError, UsageError

quick = settings(deadline=None, max_examples=30)


def area(scores: Sequence[float], outcomes: Sequence[bool], clusters: Sequence[object] | None = None):
    return area_under_roc(np.array(scores, float), list(outcomes), clusters or range(len(scores)))


def judged(scores, outcomes, task="push", first_seed=0, **terms) -> list[Judged]:
    return [
        Judged(
            Case("toy", task, first_seed + i, "corner"),
            bool(o),
            float(s),
            {name: float(values[i]) for name, values in terms.items()},
        )
        for i, (s, o) in enumerate(zip(scores, outcomes, strict=True))
    ]


def test_areas_of_known_orders() -> None:
    perfect = area([0.1, 0.2, 0.3, 0.8, 0.9, 1.0], [False] * 3 + [True] * 3)
    assert perfect.value == 1
    assert perfect.interval.low < 0.6, "three against three prove little"
    assert perfect.interval.high == 1
    assert area([0.1, 0.2, 0.3, 0.8], [True, True, False, False]).value == 0
    assert area([0.5] * 6, [True, False] * 3).value == 0.5
    assert area([0.1, 0.4, 0.35, 0.8], [False, False, True, True]).value == 0.75


@quick
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=6, max_size=40))
def test_area_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    scores, outcomes = np.array([s for s, _ in pairs], float), [o for _, o in pairs]
    if len(set(outcomes)) < 2:
        return
    found = area(scores.tolist(), outcomes)
    won = [(a > b) + (a == b) / 2 for a, x in pairs for b, y in pairs if x and not y]
    assert found.value == pytest.approx(np.mean(won))
    assert found.interval.low <= found.value <= found.interval.high
    assert 0 <= found.interval.low <= found.interval.high <= 1
    turned = area((-scores).tolist(), outcomes)
    assert turned.value == pytest.approx(1 - found.value)
    assert turned.interval.low == pytest.approx(1 - found.interval.high, abs=1e-9)
    rescaled = area((3 * scores + 1).tolist(), outcomes)
    assert rescaled == found, "only the order counts"


def test_variance_is_delongs() -> None:
    """By the definition of DeLong, DeLong and Clarke-Pearson (1988), written out with loops."""
    random = np.random.default_rng(0)
    up, down = random.normal(1, 1, 14), random.normal(0, 1, 9)
    psi = np.array([[float(x > y) for y in down] for x in up])
    v10 = [psi[i].mean() for i in range(14)]
    v01 = [psi[:, j].mean() for j in range(9)]
    variance = np.var(v10, ddof=1) / 14 + np.var(v01, ddof=1) / 9
    found = area([*up, *down], [True] * 14 + [False] * 9)
    half = 1.959964 * variance**0.5 / (found.value * (1 - found.value))
    logit = np.log(found.value / (1 - found.value))
    assert found.interval.low == pytest.approx(1 / (1 + np.exp(half - logit)), abs=1e-6)
    assert found.interval.high == pytest.approx(1 / (1 + np.exp(-half - logit)), abs=1e-6)


def test_repeated_views_of_a_layout_prove_nothing_more() -> None:
    random = np.random.default_rng(1)
    scores = random.normal(size=30)
    outcomes = (scores + random.normal(size=30) > 0).tolist()
    once = area(scores.tolist(), outcomes)
    thrice = area(np.tile(scores, 3).tolist(), outcomes * 3, list(range(30)) * 3)
    assert thrice.value == pytest.approx(once.value)
    assert thrice.interval.low == pytest.approx(once.interval.low)
    assert thrice.interval.high == pytest.approx(once.interval.high)
    alone = area(np.tile(scores, 3).tolist(), outcomes * 3)
    assert alone.interval.low > thrice.interval.low


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    truth, random = 0.7602, np.random.default_rng(2)  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    hits = 0
    for _ in range(300):
        scores = np.concatenate([random.normal(1, 1, 40), random.normal(0, 1, 30)])
        hits += truth in area(scores.tolist(), [True] * 40 + [False] * 30).interval
    assert 0.91 <= hits / 300 <= 0.99


def test_within_tasks_a_judge_of_tasks_knows_nothing() -> None:
    """A score that only says which task it is: easy tasks succeed more often, so the pooled area is high."""
    random = np.random.default_rng(3)
    easy = judged(np.full(60, 0.9), random.random(60) < 0.9, "easy")
    hard = judged(np.full(60, 0.1), random.random(60) < 0.1, "hard")
    found = calibrate("", [*easy, *hard])
    assert found.area.value > 0.8
    assert found.within_tasks is not None
    assert found.within_tasks.value == 0.5
    one_task = calibrate("", judged(random.random(40), random.random(40) < 0.5))
    assert one_task.within_tasks == one_task.area
    assert area_within(judged([0.1, 0.2, 0.3, 0.4], [True, True, True, False])) is None


def test_quartiles_are_equal_groups_in_order() -> None:
    scores = np.random.default_rng(4).permutation(22) / 22
    groups = quartiles(scores, [bool(s > 0.5) for s in scores])
    assert [group.success.episodes for group in groups] == [6, 6, 5, 5]
    assert [group.success.rate for group in groups] == [0, pytest.approx(0), 1, 1]
    assert all(a.highest <= b.lowest for a, b in pairwise(groups))
    assert len(groups) == GROUPS


def test_logistic_weights_are_found_again() -> None:
    random = np.random.default_rng(5)
    terms = random.random((4000, 3))
    chance = 1 / (1 + np.exp(-(4 * terms[:, 0] + 2 * terms[:, 1] - 3)))
    weights = logistic_weights(terms, random.random(4000) < chance)
    # The ridge draws all weights towards zero, and so hardly changes their ratio.
    assert weights[0] / weights[1] == pytest.approx(2, rel=0.2)
    assert weights[2] < 0.1 * weights[0]
    against = logistic_weights(terms, random.random(4000) < 1 - chance)
    np.testing.assert_allclose(against[:2], 0, atol=1e-9)


def test_a_fit_helps_on_seeds_that_it_has_not_seen() -> None:
    random = np.random.default_rng(6)
    good, noise = random.random(400), random.random(400)
    outcomes = random.random(400) < 1 / (1 + np.exp(-8 * (good - 0.5)))
    episodes = judged((good + 5 * noise) / 6, outcomes, good=good, noise=noise)
    to_fit, others = split(episodes, range(150))
    assert len(to_fit) == 150
    assert not {e.case for e in to_fit} & {e.case for e in others}
    fit = fit_weights(to_fit)
    assert sum(fit.weights.values()) == pytest.approx(1)
    assert fit.weights["good"] > 0.8
    before, after = calibrate("", others), calibrate("", rescored(others, fit))
    assert after.area.value > before.area.value + 0.1
    assert 0.3 < fit.threshold < 0.7


def test_a_fit_scores_as_the_judge_does_by_the_terms_that_were_measured() -> None:
    episodes = judged([0.2, 0.8] * 10, [False, True] * 10, plan=[0.2, 0.8] * 10, arm=[0.4, 0.6] * 10)
    fit = fit_weights(episodes)
    assert min(fit.weights.values()) > 0
    (found,) = rescored([replace(episodes[0], terms={"arm": 0.5})], fit)
    assert found.score == pytest.approx(0.5)
    (found,) = rescored([episodes[1]], fit)
    assert found.score == pytest.approx(fit.weights["plan"] * 0.8 + fit.weights["arm"] * 0.6)
    (found,) = rescored([replace(episodes[0], terms={"arm": 0.5, "unfitted": 0.9})], fit)
    assert found.score == pytest.approx(0.5)
    alone = replace(fit, weights={"plan": 1.0, "arm": 0.0})
    assert not rescored([replace(episodes[0], terms={"arm": 0.5})], alone), "the judge gives it no score"


def test_the_best_threshold_splits_what_can_be_split() -> None:
    outcomes = np.array([False, False, True, True])
    assert best_threshold(np.array([0.1, 0.3, 0.6, 0.9]), outcomes) == 0.6


@pytest.mark.parametrize(
    ("scores", "outcomes"),
    [([0.1, 0.2, 0.3], [True, False, True]), ([0.1] * 5, [True] * 5), ([0.1] * 5, [False] * 5)],
)
def test_too_little_to_calibrate_on_is_refused(scores, outcomes) -> None:
    with pytest.raises(DataError, match="needs 4 episodes, successes and failures"):
        calibrate("", judged(scores, outcomes))


def test_few_episodes_or_failures_are_warned_of() -> None:
    assert too_few(judged([0.5] * 200, [False] * 40 + [True] * 160)) == ()
    for outcomes in ([False] * 40 + [True] * 159, [False] * 39 + [True] * 161):
        (warning,) = too_few(judged([0.5] * len(outcomes), outcomes))
        count = f"{len(outcomes)} episodes with {outcomes.count(False)} failures"
        assert warning.startswith(f"{count} prove little")
        assert warning.endswith("has 200 episodes and 40 failures at least")


def test_too_little_to_fit_to_is_refused() -> None:
    with pytest.raises(DataError, match="the terms none"):
        fit_weights(judged([0.1, 0.2], [True, False]))
    with pytest.raises(DataError, match="10 successes"):
        fit_weights(judged([0.1] * 10, [True] * 10, plan=[0.3] * 10))
    with pytest.raises(DataError, match="no term rises with success"):
        fit_weights(judged([0.1] * 10, [True, False] * 5, plan=[0.0, 1.0] * 5))
    with pytest.raises(UsageError, match=r"leave others to calibrate on, got \[0, 1\] of 0 … 1"):
        split(judged([0.1] * 2, [True, False]), [0, 1])


# From results to files


def with_scores(seeds: int = 12) -> Results:
    """Every second layout is solved; the judge knows, but for some noise."""
    random = np.random.default_rng(7)
    plain = results(seeds=seeds, cameras=("corner", "corner2"))
    episodes = []
    for episode in plain.episodes:
        success = episode.case.seed % 2 == 0
        score = float(np.clip(0.3 + 0.3 * success + 0.2 * random.normal(), 0, 1))
        rejected = Event(0, "reject", "score 0.05", values={"score": 0.05, "plan": 0.0})
        kept = Event(0, "accept", "fine", values={"score": score, "plan": score, "arm": random.random()})
        later = Event(30, "accept", "fine", values={"score": 0.99})
        events = (*episode.events, rejected, kept, later)
        episodes.append(replace(episode, success=success, events=events))
    return replace(plain, episodes=tuple(episodes))


def test_the_first_followed_video_speaks_for_an_episode() -> None:
    made = with_scores()
    episodes = judged_episodes([made])
    assert [each.case for each in episodes] == list(made.cases)
    assert {len(each.terms) for each in episodes} == {2}
    assert 0.05 not in [each.score for each in episodes], "a rejected video has no outcome"
    assert 0.99 not in [each.score for each in episodes]


def test_an_episode_whose_video_could_not_be_measured_is_left_out() -> None:
    made = with_scores()
    blind = judgement(0, "accept", Verdict(True, "nothing could be measured", None))
    later = Event(30, "accept", "fine", values={"score": 0.99})
    first = replace(made.episodes[0], events=(blind, later))
    episodes = judged_episodes([replace(made, episodes=(first, *made.episodes[1:]))])
    assert [each.case for each in episodes] == list(made.cases[1:]), "the next video is not the one followed"
    (note,) = left_out(len(made.episodes), len(episodes))
    assert note.startswith("1 of 48 episodes are left out")
    assert not left_out(48, 48)


def test_results_without_a_judge_or_with_a_case_twice_are_refused() -> None:
    with pytest.raises(DataError, match=r"no video was judged in .*kinesight judge --help"):
        judged_episodes([results()])
    with pytest.raises(UsageError, match="hold a case twice"):
        judged_episodes([with_scores(), with_scores()])


def test_files_say_what_was_computed(tmp_path: Path) -> None:
    episodes = judged_episodes([with_scores()])
    to_fit, others = split(episodes, range(5))
    fit = fit_weights(to_fit)
    made = [calibrate("weights as they were", others), calibrate("fitted weights", rescored(others, fit))]
    text, picture = write_calibration(tmp_path, made, fit, ("a note",))
    document = json.loads(text.read_text())
    assert document["notes"] == ["a note"]
    first = document["calibrations"][0]
    assert first["auroc"]["value"] == made[0].area.value
    again = calibrate(
        "again",
        [
            Judged(Case(**each["case"]), each["success"], each["score"], each["terms"])
            for each in first["episodes"]
        ],
    )
    assert to_json(again) | {"name": ""} == to_json(made[0]) | {"name": ""}
    assert document["fit"]["weights"] == dict(fit.weights)
    image = cv2.imread(str(picture))
    assert image is not None
    assert image.shape == (2 * draw(made[0]).shape[0], draw(made[0]).shape[1], 3)
    assert to_table(made[0]).row_count == GROUPS


def test_the_curve_rises_from_nothing_to_everything_with_its_area_below() -> None:
    random = np.random.default_rng(8)
    scores = random.random(50).round(1)
    episodes = judged(scores, random.random(50) < scores)
    curve = roc(episodes)
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    assert (np.diff(curve, axis=0) >= 0).all()
    below = float((np.diff(curve[:, 0]) * (curve[1:, 1] + curve[:-1, 1]) / 2).sum())
    assert below == pytest.approx(calibrate("", episodes).area.value)
