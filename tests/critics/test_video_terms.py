"""The measurements behind the judge: where the hand is, whether it follows the plan, whether things stay."""

import judge_scene as scene
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kinesight.critics.hand_track import HandTrack, steadiness, track_hand
from kinesight.critics.persistence import persistence, shares, unexplained
from kinesight.critics.plan_agreement import allowed_offsets, fit, plan_agreement
from kinesight.geometry.camera import project
from kinesight.types.plan import PlanRow, SpatialPlan

quick = settings(deadline=None, max_examples=40)
paths = arrays(float, (6, 2), elements=st.floats(-50, 50))


def tracked(hand: np.ndarray) -> HandTrack | None:
    frames = scene.film(hand)
    return track_hand(frames[0], frames[1:], scene.point(hand[0]), scene.CAMERA)


def on(path: np.ndarray) -> HandTrack:
    return HandTrack(path, np.ones(len(path)), 15)


# Where the hand is


def test_the_hand_is_followed_to_the_pixel() -> None:
    hand = scene.way()
    track = tracked(hand)
    assert track is not None
    wanted = project(np.stack([scene.point(h) for h in hand]), scene.CAMERA)
    assert np.linalg.norm(track.positions - wanted, axis=1).max() < 1.5
    assert track.likeness[0] == 1
    assert track.likeness.min() > 0.6
    assert track.side_px == 15, "14 cm are 14 px at this distance, made odd"


def test_a_hand_that_stays_is_found_where_it_was() -> None:
    track = tracked(np.repeat(scene.START[None], 5, axis=0))
    assert track is not None
    assert np.ptp(track.positions, axis=0).max() == 0
    np.testing.assert_allclose(track.likeness, 1, atol=1e-3)


def test_a_hand_that_vanishes_is_less_alike() -> None:
    hand = scene.way()
    first, gone = scene.draw(hand[0]), scene.film(hand, arm=False)[1:]
    track, kept = track_hand(first, gone, scene.point(hand[0]), scene.CAMERA), tracked(hand)
    assert track is not None
    assert kept is not None
    assert track.likeness[1:].mean() < 0.6 * kept.likeness[1:].mean()


@pytest.mark.parametrize("place", [(0.9, 0.0, 1.0), (0.0, 0.0, -1.0), (-0.478, -0.478, 1.0)])
def test_a_hand_out_of_view_behind_or_at_the_corner_is_not_followed(place) -> None:
    frames = scene.film(scene.way())
    assert track_hand(frames[0], frames[1:], np.array(place), scene.CAMERA) is None


# How steadily it moves


@quick
@given(paths)
def test_steadiness_is_a_share(path: np.ndarray) -> None:
    value = steadiness(on(path), 0.0)
    assert -1e-9 <= value <= 1
    assert steadiness(on(path), 2.0) >= value
    assert steadiness(on(path[::-1]), 0.0) == pytest.approx(value), "the same way, walked back"


def test_steadiness_of_known_ways() -> None:
    line = np.arange(6.0)[:, None] * [3.0, 4.0]
    there_and_back = np.array([[0.0, 0.0], [5.0, 0.0]] * 3)
    corner = np.array([[0.0, 0.0], [1, 0], [1, 1]])
    assert steadiness(on(line), 0.0) == 1
    assert steadiness(on(np.zeros((6, 2))), 0.0) == 1
    assert steadiness(on(there_and_back), 0.0) == 0
    assert steadiness(on(corner), 0.0) == pytest.approx(1 - 2**0.5 / 2)


# Whether it follows the plan


@quick
@given(arrays(float, 2, elements=st.floats(-40, 40)), arrays(float, (3, 2), elements=st.floats(-40, 40)))
def test_fit_is_a_share_and_its_ends_are_known(moved: np.ndarray, expected: np.ndarray) -> None:
    assert -1e-9 <= fit(moved, expected, 0.0) <= 1 + 1e-9
    assert fit(moved, np.concatenate([expected, moved[None]]), 0.0) == pytest.approx(1)
    if np.linalg.norm(moved) > 1e-6:
        assert fit(moved, -moved[None], 0.0) == pytest.approx(0)
        assert fit(moved, 0.5 * moved[None], 0.0) == pytest.approx(2 / 3)


@quick
@given(st.tuples(*[st.sampled_from((-1, 0, 1))] * 3), st.floats(0.01, 1))
def test_offsets_have_the_rows_signs_and_length(direction: tuple[int, int, int], distance_m: float) -> None:
    offsets = allowed_offsets(PlanRow("move", direction, distance_m))
    assert len(offsets) == (0 if not any(direction) else len(np.unique(offsets, axis=0)))
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=1), distance_m)
    np.testing.assert_array_equal(np.sign(offsets), np.broadcast_to(direction, offsets.shape))


def in_pixels(hand: np.ndarray) -> np.ndarray:
    return project(np.stack([scene.point(h) for h in hand]), scene.CAMERA)


def agreement(plan: SpatialPlan, path: np.ndarray) -> float | None:
    return plan_agreement(plan, path, scene.point(scene.START), scene.CAMERA, slack_px=1.5)


def test_the_planned_way_agrees_and_the_opposite_one_does_not() -> None:
    path = in_pixels(scene.way())
    right, wrong = agreement(scene.PLAN, path), agreement(scene.opposite(scene.PLAN), path)
    assert right is not None
    assert wrong is not None
    assert right > 0.9
    assert wrong < 0.2
    still = agreement(scene.PLAN, np.repeat(path[:1], 8, axis=0))
    assert still is not None
    assert still < 0.2, "who does not move does not follow, but for the slack"


def test_rows_are_met_in_their_order() -> None:
    path = in_pixels(scene.way())
    swapped = SpatialPlan(scene.PLAN.rows[::-1])
    values = [agreement(plan, path) for plan in (scene.PLAN, swapped)]
    assert None not in values
    assert values[0] > values[1]  # type: ignore[operator]


def test_distance_counts_as_well_as_direction() -> None:
    path = in_pixels(scene.way())
    scores = []
    for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
        rows = tuple(PlanRow(r.verb, r.direction, factor * r.distance_m) for r in scene.PLAN.rows)
        scores.append(agreement(SpatialPlan(rows), path))
    assert int(np.argmax(np.array(scores))) == 2
    assert scores == sorted(scores[:3]) + sorted(scores[3:], reverse=True)  # type: ignore[type-var]


@settings(deadline=None, max_examples=15)
@given(arrays(float, (6, 2), elements=st.floats(0, 96)), st.integers(1, 4), st.integers(0, 1000))
def test_agreement_is_a_share_of_any_plan_and_way(path: np.ndarray, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = [
        PlanRow("move", tuple(int(s) for s in random.integers(-1, 2, 3)), float(random.random() / 2))
        for _ in range(count)
    ]
    value = agreement(SpatialPlan(tuple(rows)), path)
    assert value is None or 0 <= value <= 1


@pytest.mark.parametrize(
    "rows",
    [(), (PlanRow("grasp", (0, 0, 0), 0.0),), (PlanRow("move", (1, 0, 0), 0.01),)],
    ids=["empty", "nothing moves", "too short to be seen"],
)
def test_a_plan_that_cannot_be_seen_says_nothing(rows: tuple[PlanRow, ...]) -> None:
    assert agreement(SpatialPlan(rows), in_pixels(scene.way())) is None


# Whether things stay

HARD = np.eye(3)  # background, block, arm


@quick
@given(
    arrays(int, (40,), elements=st.integers(0, 1)), st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39))
)
def test_what_an_arm_covers_and_uncovers_is_explained(scenery, arm_before: set, arm_now: set) -> None:
    """An arm in front of a scene that does not change, wherever it goes: nothing came or went."""
    before, now = scenery.copy(), scenery.copy()
    before[list(arm_before)], now[list(arm_now)] = 2, 2
    arm = np.array([False, False, True])
    np.testing.assert_allclose(unexplained(HARD[before], HARD[now], arm)[:2], 0, atol=1e-9)


@quick
@given(st.permutations(range(40)), st.integers(1, 30))
def test_what_moves_is_explained_and_what_vanishes_is_not(order, size: int) -> None:
    before = np.array([1] * size + [0] * (40 - size))
    arm = np.array([False, False, True])
    moved = unexplained(HARD[before], HARD[before[list(order)]], arm)
    np.testing.assert_allclose(moved[:2], 0, atol=1e-9)
    gone = unexplained(HARD[before], HARD[np.zeros(40, int)], arm)
    assert gone[1] == pytest.approx(size)


@pytest.mark.parametrize("seed", range(3))
def test_shares_of_a_pixel_add_up_to_one(seed: int) -> None:
    pixels = np.random.default_rng(seed).uniform(0, 100, (50, 3)).astype(np.float32)
    found = shares(pixels, pixels[:5])
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-4)
    assert found.min() >= 0


def test_erased_and_invented_objects_are_noticed_wherever_the_arm_is() -> None:
    hand = scene.way()
    track = tracked(hand)
    assert track is not None
    first, frames = scene.draw(hand[0]), scene.film(hand)[1:]
    kept = persistence(first, frames, track)
    assert kept > 0.7
    assert persistence(first, scene.film(hand, block=False)[1:], track) < kept - 0.3
    doubled = frames.copy()
    doubled[:, 70:86, 5:19] = frames[:1, 70:86, 43:57]
    assert persistence(first, doubled, track) < kept
    assert persistence(first, frames[::-1], track) == pytest.approx(kept), "time plays no part"


def test_a_still_picture_keeps_everything() -> None:
    first = scene.draw(scene.START)
    track = tracked(np.repeat(scene.START[None], 4, axis=0))
    assert track is not None
    assert persistence(first, np.repeat(first[None], 3, axis=0), track) == pytest.approx(1)
