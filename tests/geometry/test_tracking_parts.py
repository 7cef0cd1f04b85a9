"""Following points, laying shapes under points, smoothing: laws of the parts that tracking is made of."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.geometry.optical_flow import shifted
from kinesight.geometry.point_tracks import FollowConfig, follow
from kinesight.geometry.registration import Upright, distances, register
from kinesight.geometry.smoothing import outliers, smooth
from kinesight.types.errors import UsageError

laws = settings(max_examples=15, deadline=None)


def texture(seed: int = 0, size: int = 96) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (7, 7), 2)


@laws
@given(st.floats(-6, 6), st.floats(-6, 6))
def test_points_of_a_shifted_picture_are_followed(across, down):
    picture = texture()
    pixels = np.random.default_rng(1).uniform(20, 76, (30, 2))
    moved, kept = follow(picture, shifted(picture, np.array([across, down])), pixels)
    assert kept.mean() > 0.9
    assert np.median(np.linalg.norm(moved[kept] - pixels[kept] - (across, down), axis=1)) < 0.1


def test_points_that_are_covered_or_leave_are_lost():
    picture = texture()
    covered = picture.copy()
    covered[30:60, 30:60] = (200, 30, 30)
    inside = np.random.default_rng(0).uniform(38, 52, (20, 2))
    moved, kept = follow(picture, covered, inside)
    assert not kept.any()
    np.testing.assert_array_equal(moved, inside)
    _, kept = follow(
        picture, shifted(picture, np.array([30.0, 0.0])), np.array([[90.0, 48.0]]), np.array([[120.0, 48]])
    )
    assert not kept.any()
    assert follow(picture, picture, np.zeros((0, 2)))[0].shape == (0, 2)
    with pytest.raises(UsageError, match="window_px"):
        FollowConfig(window_px=1)


def box_surface(count: int = 500) -> np.ndarray:
    """Top and two sides of a box of 8 x 4 x 4 cm, as a camera in front and above sees it."""
    generator = np.random.default_rng(3)
    u, v = generator.uniform(-1, 1, (2, count))
    top = np.column_stack([0.04 * u, 0.02 * v, np.full(count, 0.04)])
    front = np.column_stack([0.04 * u, np.full(count, -0.02), 0.02 + 0.02 * v])
    side = np.column_stack([np.full(count, 0.04), 0.02 * u, 0.02 + 0.02 * v])
    return np.concatenate([top, front, side])


@laws
@given(st.floats(-0.8, 0.8), st.tuples(*[st.floats(-0.01, 0.01)] * 3), st.booleans())
def test_a_shape_is_found_again_also_in_part(turn, off, part):
    shape = box_surface()
    true = Upright(np.array([0.0, 0.0, 0.02]), np.array([0.3, -0.2, 0.1]), turn)
    seen = true.apply(shape)
    if part:
        seen = seen[shape[:, 0] > -0.02]  # a quarter is covered
    guess = Upright(true.pivot, true.shift + np.array(off), turn + 0.05)
    found, error_m = register(seen, shape, guess, rounds=40)
    assert np.linalg.norm(found.centre - true.centre) < 0.003
    assert error_m < 0.002
    assert distances(seen, shape, found).max() < 0.01


@laws
@given(st.floats(-3, 3), st.integers(0, 99))
def test_undoing_a_motion_is_its_inverse(turn, seed):
    generator = np.random.default_rng(seed)
    motion = Upright(generator.normal(size=3), generator.normal(size=3), turn)
    points = generator.normal(size=(7, 3))
    np.testing.assert_allclose(motion.undo(motion.apply(points)), points, atol=1e-12)
    np.testing.assert_allclose(motion.apply(motion.pivot[None])[0], motion.centre)


def test_registration_needs_points():
    with pytest.raises(ValueError, match="points on both sides"):
        register(np.zeros((0, 3)), box_surface(), Upright(np.zeros(3), np.zeros(3)))


def test_an_even_motion_is_not_changed_by_smoothing():
    times = np.arange(30)[:, None]
    path = 0.1 + times * np.array([[0.01, -0.004, 0.0]])
    found = smooth(path, np.full(30, 0.002), 0.003)
    np.testing.assert_allclose(found, path, atol=1e-4)


def test_smoothing_lessens_noise_and_bridges_gaps():
    times = np.linspace(0, 1, 60)[:, None]
    path = np.concatenate([0.2 * times, 0.1 * np.sin(3 * times), 0 * times], axis=1)
    generator = np.random.default_rng(0)
    noise = path + generator.normal(0, 0.004, path.shape)
    std = np.full(60, 0.004)
    std[25:32] = np.inf
    noise[25:32] = np.nan
    found = smooth(noise, std, 0.001)
    known = np.isfinite(std)
    before = np.linalg.norm((noise - path)[known], axis=1).mean()
    assert np.linalg.norm((found - path)[known], axis=1).mean() < 0.7 * before
    assert np.linalg.norm((found - path)[~known], axis=1).max() < 0.01


def test_smoothing_is_the_same_backwards_in_time():
    path = np.cumsum(np.random.default_rng(2).normal(0, 0.01, (40, 3)), axis=0)
    std = np.random.default_rng(3).uniform(0.001, 0.01, 40)
    forwards, backwards = smooth(path, std, 0.005), smooth(path[::-1].copy(), std[::-1].copy(), 0.005)[::-1]
    np.testing.assert_allclose(forwards, backwards, atol=2e-4)


def test_jumps_are_outliers_and_corners_are_not():
    path = np.column_stack([np.minimum(np.arange(40), 20) * 0.01, np.zeros(40), np.zeros(40)])
    assert not outliers(path).any()
    jumped = path.copy()
    jumped[9] += 0.08
    jumped[30, 2] -= 0.04
    assert np.flatnonzero(outliers(jumped)).tolist() == [9, 30]
    jumped[15] = np.nan
    assert not outliers(jumped)[15]


def test_smoothing_needs_a_measurement():
    with pytest.raises(ValueError, match="nothing was measured"):
        smooth(np.zeros((3, 3)), np.full(3, np.inf), 0.01)
