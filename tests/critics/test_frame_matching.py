import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from kinesight.critics.frame_matching import (
    TERMS,
    FrameMatchingConfig,
    compare,
    prepare,
    similarity,
    weighted,
)
from kinesight.types.errors import UsageError
from kinesight.types.video import ImaginedVideo

CONFIG = FrameMatchingConfig()
SIZE = 96


def scene(position: float, soft: bool = False) -> np.ndarray:
    """A textured table with an arm `position` pixels from the left."""
    texture = np.random.default_rng(0).uniform(90, 130, (SIZE // 4, SIZE // 4, 3)).astype(np.uint8)
    picture = cv2.resize(texture, (SIZE, SIZE))
    centre = (round(16 * position), round(16 * (30 + position / 3)))
    cv2.circle(picture, centre, 16 * 8, (180, 30, 30), cv2.FILLED, cv2.LINE_AA, 4)
    cv2.line(picture, centre, (centre[0], 0), (60, 20, 20), 5, cv2.LINE_AA, 4)
    if soft:
        noise = np.random.default_rng(int(position)).normal(0, 4, picture.shape)
        picture = np.clip(cv2.GaussianBlur(picture, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)
    return picture


def score(current: np.ndarray, goal: np.ndarray, reference: np.ndarray | None) -> float:
    return weighted(similarity(current, goal, reference, CONFIG), CONFIG.weights)


@pytest.mark.parametrize("goal", [scene(60), scene(60, soft=True), np.zeros((SIZE, SIZE, 3), np.uint8)])
def test_a_frame_matches_itself(goal):
    for reference in (None, scene(30), goal):
        terms = similarity(goal, goal, reference)
        assert set(terms) == set(TERMS) == set(CONFIG.weights)
        assert list(terms.values()) == pytest.approx([1.0] * 4, abs=1e-3)


def test_the_reference_scores_zero():
    assert similarity(scene(30), scene(60), scene(30)) == dict.fromkeys(TERMS, 0.0)


@pytest.mark.parametrize("soft", [False, True])
def test_the_score_rises_on_the_way_and_the_threshold_separates(soft):
    reference, goal = scene(30, soft), scene(60, soft)
    scores = [score(scene(position), goal, reference) for position in range(32, 61, 4)]
    assert np.all(np.diff(scores) > -0.02), scores
    assert scores[-1] > CONFIG.threshold, "there"
    assert scores[-2] < CONFIG.threshold, "four pixels before"
    assert score(scene(48), goal, None) > CONFIG.threshold, "without a reference the background decides"


def test_a_change_of_zero_takes_the_plain_terms_whatever_the_reference():
    current, goal, plain = scene(48), scene(60), replace(CONFIG, change=0)
    assert similarity(current, goal, scene(30), plain) == similarity(current, goal, None, CONFIG)
    matcher = plain.build()
    matcher.reset(ImaginedVideo(scene(30), goal[None], None, "slide right"))
    assert matcher.update(current, 0).reason.startswith("matched"), "the background decides"


def test_terms_stay_in_their_range():
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (6, 40, 56, 3)).astype(np.uint8)
    for current, goal, reference in zip(frames[:2], frames[2:4], frames[4:], strict=True):
        for terms in (similarity(current, goal), similarity(current, goal, reference)):
            assert all(0 <= value <= 1 for value in terms.values())


def test_weights_are_shares():
    terms = {"geometry": 1.0, "position": 0.0, "ssim": 0.5, "flow": 0.0}
    assert weighted(terms, CONFIG.weights) == pytest.approx(0.45)
    assert weighted(terms, {name: 10 * weight for name, weight in CONFIG.weights.items()}) == pytest.approx(
        0.45
    )


def test_a_comparison_is_fast():
    goal = prepare(scene(60), scene(30), CONFIG)
    compare(scene(50), goal, CONFIG)
    start = time.thread_time()
    for _ in range(20):
        compare(scene(50), goal, CONFIG)
    assert (time.thread_time() - start) / 20 < 0.01, (
        "4 ms on a quiet core; the type checks cost something too"
    )


@pytest.mark.parametrize(
    "values",
    [
        {"weights": {"ssim": 1.0}},
        {"threshold": 0.0},
        {"threshold": 1.5},
        {"max_steps": 0},
        {"passed_from": 1.5},
        {"passed_drop": -0.1},
        {"change": -1},
    ],
)
def test_impossible_configurations_are_refused(values):
    with pytest.raises(UsageError):
        FrameMatchingConfig(**values)


class TestFrameMatcher:
    positions = (35, 50, 65)

    def matcher(self, **values):
        matcher = FrameMatchingConfig(**values).build()
        frames = np.stack([scene(position) for position in self.positions])
        matcher.reset(ImaginedVideo(scene(20), frames, None, "slide right"), step=5)
        return matcher

    def test_follows_an_arm_through_all_goals(self):
        matcher, reached = self.matcher(), []
        for step, position in enumerate(range(20, 70), 5):
            before = matcher.index
            verdict = matcher.update(scene(position), step)
            if verdict.ok:
                reached.append((before, position))
                assert verdict.reason.startswith("matched (")
        assert [goal for goal, _ in reached] == [0, 1, 2]
        for goal, position in reached:
            assert abs(position - self.positions[goal]) <= 3
        assert matcher.finished
        assert matcher.forced_in_a_row == 0
        assert (matcher.goal == scene(65)).all(), "the last goal stays"
        assert not matcher.update(scene(65), 99).ok, "a finished video is not finished again"

    def test_forces_a_goal_after_the_limit(self):
        matcher = self.matcher(max_steps=28)
        verdicts = [matcher.update(scene(20), step) for step in range(5, 62)]
        switches = {5 + index: verdict.reason for index, verdict in enumerate(verdicts) if verdict.ok}
        assert switches == {33: "forced after 28 steps", 61: "forced after 28 steps"}
        assert (matcher.index, matcher.forced_in_a_row) == (2, 2)
        matcher.update(scene(65), 62)
        assert (matcher.finished, matcher.forced_in_a_row) == (True, 0)

    def imagined_beside(self) -> ImaginedVideo:
        """Softly, and some pixels below where the arm will come by."""
        frames = [np.roll(cv2.GaussianBlur(scene(p), (0, 0), 2), 8, axis=0) for p in self.positions]
        return ImaginedVideo(scene(20), np.stack(frames), None, "slide right")

    def test_a_goal_that_was_missed_closely_is_passed(self):
        """The arm goes by a little beside where it was imagined, which never scores 0.8."""
        video = self.imagined_beside()
        reasons = {}
        for drop in (0.05, 0.0):
            matcher = FrameMatchingConfig(passed_drop=drop).build()
            matcher.reset(video)
            walked = [(p, matcher.update(scene(p), step)) for step, p in enumerate(range(20, 80, 3))]
            reasons[drop] = [(p, verdict.reason) for p, verdict in walked if verdict.ok]
        places, told = zip(*reasons[0.05], strict=True)
        assert all(reason.startswith("passed (0.") for reason in told)
        assert len(places) == len(self.positions)
        assert all(goal < place <= goal + 9 for place, goal in zip(places, self.positions, strict=True)), (
            "after it, and soon"
        )
        assert reasons[0.0] == []

    def test_a_goal_that_was_never_near_is_not_passed(self):
        matcher = self.matcher(passed_from=0.3)
        away = [matcher.update(scene(p), 6 + step) for step, p in enumerate((20, 23, 24, 22, 20, 20))]
        assert 0.05 < max(verdict.score for verdict in away) < 0.3
        assert not any(verdict.ok for verdict in away)

    def test_passing_ends_a_row_of_forced_goals(self):
        matcher = FrameMatchingConfig(max_steps=6).build()
        matcher.reset(self.imagined_beside())
        walked = (*(20,) * 7, 44, 50, 56)
        told = [matcher.update(scene(position), step) for step, position in enumerate(walked)]
        assert [verdict.reason.partition(" ")[0] for verdict in told if verdict.ok] == ["forced", "passed"]
        assert matcher.forced_in_a_row == 0

    def test_a_goal_like_the_last_one_is_reached_at_once(self):
        matcher = FrameMatchingConfig().build()
        frames = np.stack([scene(35), scene(35), scene(60)])
        matcher.reset(ImaginedVideo(scene(20), frames, None, ""))
        assert [matcher.update(scene(35), step).ok for step in range(3)] == [True, True, False]

    def test_another_picture_size_is_refused(self):
        with pytest.raises(UsageError, match="96, 96"):
            self.matcher().update(np.zeros((64, 64, 3), np.uint8), 5)

    def test_verdicts_hold_their_terms(self):
        verdict = self.matcher().update(scene(20), 5)
        assert (verdict.ok, verdict.score) == (False, 0.0)
        assert verdict.reason == "goal 0 not reached (0.00)"
        assert set(verdict.terms) == set(TERMS)
