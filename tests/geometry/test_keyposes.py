import numpy as np

from kinesight.geometry.keyposes import LEAST_GAP, found_keyposes


def motion(*stretches: tuple[int, float]) -> np.ndarray:
    """A hand that moves along x by so many steps of that length, stretch after stretch."""
    x = np.concatenate([[0.0], *(np.full(steps, length) for steps, length in stretches)]).cumsum()
    return np.stack([x, 0 * x, 0 * x], axis=1)


def test_a_hand_that_comes_to_rest_has_arrived():
    hand = motion((10, 0.02), (8, 0.0), (10, 0.02), (8, 0.0))
    assert found_keyposes(hand, np.ones(len(hand))) == (10, 28, 36)


def test_the_fingers_stroke_is_one_in_the_middle_of_its_range():
    hand = motion((30, 0.02))
    opening = np.clip(1 - (np.arange(31) - 10) / 8, 0, 1)
    assert found_keyposes(hand, opening) == (14, 30)
    assert found_keyposes(hand, 1 - 0.1 * (1 - opening)) == (30,), "too small a stroke is none"


def test_two_are_never_near_each_other_and_the_last_frame_stays():
    generator = np.random.default_rng(0)
    for _ in range(20):
        hand = generator.normal(size=(60, 3)).cumsum(axis=0) * 0.01
        found = found_keyposes(hand, generator.random(60))
        assert found[-1] == 59
        assert (np.diff(found) >= LEAST_GAP).all()


def test_a_hand_that_never_moves_has_the_last_frame_only():
    assert found_keyposes(np.zeros((5, 3)), np.zeros(5)) == (4,)
