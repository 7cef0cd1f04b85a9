"""Eq. 9: scale and shift of a relative depth come back exactly, and bad points are refused."""

import numpy as np
import pytest

from kinesight.geometry.depth_alignment import LEAST_POINTS, aligned_depth, fit_line, robust_line
from kinesight.types.errors import DataError


def scene(seed: int = 0) -> np.ndarray:
    """A tilted plane with a box on it [m]."""
    rows, columns = np.mgrid[0:24, 0:32]
    depth = 0.8 + 0.03 * rows + 0.01 * columns
    depth[6:12, 8:16] -= 0.25
    return depth + 0.001 * np.random.default_rng(seed).standard_normal(depth.shape)


def sparse(depth: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    chosen = np.random.default_rng(seed).choice(depth.size, count, replace=False)
    known = np.zeros(depth.size)
    known[chosen] = depth.ravel()[chosen]
    return known.reshape(depth.shape).astype(np.float32)


def test_inverse_depth_up_to_scale_and_shift_comes_back_in_metres() -> None:
    depth = scene()
    estimate = (1 / depth - 0.2) * 37.0
    found, line = aligned_depth(estimate.astype(np.float32), sparse(depth, 40))
    np.testing.assert_allclose(found, depth, rtol=2e-5)
    assert line.scale == pytest.approx(1 / 37, rel=1e-4)
    assert line.shift == pytest.approx(0.2, abs=1e-4)
    assert line.points == 40


def test_depth_up_to_scale_and_shift_comes_back_too() -> None:
    depth = scene()
    found, _ = aligned_depth(((depth - 0.3) / 2.5).astype(np.float32), sparse(depth, 40), inverse=False)
    np.testing.assert_allclose(found, depth, rtol=2e-5)


def test_inverse_depth_fitted_as_depth_is_refused() -> None:
    depth = scene()
    with pytest.raises(DataError, match=r"fitted scale is -.*one is depth and the other inverse depth"):
        aligned_depth((1 / depth).astype(np.float32), sparse(depth, 40), inverse=False)


def test_the_closed_form_is_the_least_squares_solution() -> None:
    generator = np.random.default_rng(3)
    x = generator.random(50)
    y = 2.0 * x + 0.5 + 0.1 * generator.standard_normal(50)
    line = fit_line(x, y)
    expected = np.linalg.lstsq(np.stack([x, np.ones(50)], axis=1), y, rcond=None)[0]
    assert (line.scale, line.shift) == pytest.approx(tuple(expected))


def test_a_few_wrong_points_do_not_bend_the_line() -> None:
    x = np.linspace(1, 2, 40)
    y = 3 * x + 1 + 0.001 * np.sin(50 * x)
    y[::10] += 4.0
    assert abs(fit_line(x, y).shift - 1) > 0.05
    line = robust_line(x, y)
    assert (line.scale, line.shift) == pytest.approx((3, 1), abs=5e-3)
    assert line.points == 36


def test_what_no_camera_could_see_is_invalid() -> None:
    depth = scene()
    estimate = 1 / depth
    estimate[0, :3] = (-5.0, 0.0, np.nan)
    found, _ = aligned_depth(estimate.astype(np.float32), sparse(depth, 60))
    assert found[0, :3].tolist() == [0, 0, 0]
    assert (found[1:] > 0).all()
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (LEAST_POINTS - 1, f"at least {LEAST_POINTS} known points, there are {LEAST_POINTS - 1}"),
        (0, "there are 0"),
    ],
)
def test_too_few_points_are_refused(points: int, message: str) -> None:
    depth = scene()
    with pytest.raises(DataError, match=message):
        aligned_depth((1 / depth).astype(np.float32), sparse(depth, points))


def test_a_flat_estimate_is_refused() -> None:
    with pytest.raises(DataError, match=r"the estimate is 0.7 at all 40 known points"):
        aligned_depth(np.full((24, 32), 0.7, np.float32), sparse(scene(), 40))


def test_estimates_that_have_nothing_to_do_with_the_points_are_refused() -> None:
    generator = np.random.default_rng(5)
    known = 1 / generator.uniform(0.5, 2.0, 200)
    for _ in range(20):
        with pytest.raises(DataError, match=r"fitted scale is -|hardly go together, a line explains \d+%"):
            robust_line(generator.random(200), known)
    half = known + known.std() * 0.9 * generator.standard_normal(200)
    assert 0.5 < robust_line(half, known).explained < 0.8


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e6])
def test_the_unit_of_the_estimate_does_not_matter(unit: float) -> None:
    depth = scene()
    found, line = aligned_depth((unit * (1 / depth - 0.2)).astype(np.float32), sparse(depth, 40))
    np.testing.assert_allclose(found, depth, rtol=2e-5)
    assert line.explained == pytest.approx(1, abs=1e-6)


def test_a_flat_scene_is_no_chance() -> None:
    """Relief and error of 5 mm at a metre: the line explains half of it, and is right to half a per cent."""
    generator = np.random.default_rng(7)
    depth = 1 + 0.005 * generator.standard_normal((24, 32))
    estimate = 1 / (depth + 0.008 * generator.standard_normal(depth.shape))
    found, line = aligned_depth(estimate.astype(np.float32), sparse(depth, 60))
    assert line.explained < 0.5
    assert line.error < 0.01
    assert float(np.abs(found - depth).mean()) < 0.01
