import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.geometry.paths import PATH_POINTS, arc_length, point_distances, resample

laws = settings(max_examples=30, deadline=None)
coordinate = st.floats(0, 1).map(lambda value: round(value, 6))
polylines = st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=9)


@laws
@given(polylines, st.integers(2, 12))
def test_resampled_points_lie_at_equal_arc_lengths_on_the_path(raw, count: int):
    path = np.array(raw)
    total = arc_length(path)[-1]
    points = resample(path, count)
    assert points.shape == (count, 2)
    np.testing.assert_allclose(points[[0, -1]], path[[0, -1]], atol=1e-12)
    # Every point has the length of its number, counted along the path: on a dense copy of the path.
    dense = resample(path, 2000)
    for index, point in enumerate(points):
        expected = dense[round(index / (count - 1) * 1999)]
        assert np.linalg.norm(point - expected) <= total / 1999 + 1e-9


@laws
@given(polylines, st.floats(0.1, 9), st.floats(-5, 5))
def test_scaling_and_moving_a_path_scales_and_moves_its_points(raw, scale: float, shift: float):
    path = np.array(raw)
    np.testing.assert_allclose(resample(scale * path + shift), scale * resample(path) + shift, atol=1e-9)


@laws
@given(polylines)
def test_the_way_back_is_the_path_reversed(raw):
    path = np.array(raw)
    np.testing.assert_allclose(resample(path[::-1]), resample(path)[::-1], atol=1e-9)


def test_repeated_and_added_points_change_nothing():
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    expected = resample(corner)
    np.testing.assert_allclose(resample(np.repeat(corner, 3, axis=0)), expected)
    np.testing.assert_allclose(resample(np.insert(corner, 1, [0.3, 0.0], axis=0)), expected)
    assert len(expected) == PATH_POINTS
    np.testing.assert_allclose(np.linalg.norm(np.diff(expected, axis=0), axis=1)[[0, 1, 4, 5]], 2 / 7)
    np.testing.assert_allclose(resample(expected[[0, 0]]), np.zeros((8, 2)))


def test_the_papers_example_is_nearly_equally_spaced():
    """Table 5 of ST-VLA: what this rule was read from."""
    path = np.array(
        [[500, 499], [516, 488], [534, 479], [552, 472], [571, 466], [590, 462], [611, 460], [631, 459]],
        float,
    )
    steps = np.diff(arc_length(path))
    assert steps.max() / steps.min() < 1.1
    assert point_distances(resample(path), path).max() < 1.5


def test_other_columns_ride_along():
    path = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 3.0]])
    np.testing.assert_allclose(resample(path, 3, measure=2)[:, 2], [1, 2, 3])
    # A step in depth alone has no length in the picture: the depth after it counts from there on.
    jump = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 9.0]])
    np.testing.assert_allclose(resample(jump, 3, measure=2)[:, :2], [[0, 0], [0.5, 0], [1, 0]])


def test_bad_paths_are_named():
    with pytest.raises(ValueError, match="at least 2 points are needed, got 1"):
        resample(np.zeros((3, 2)), 1)
    with pytest.raises(ValueError, match="only finite coordinates"):
        resample(np.array([[0.0, np.nan], [1.0, 1.0]]))
    with pytest.raises(ValueError, match="a point at least, got none"):
        arc_length(np.zeros((0, 2)))
    with pytest.raises(ValueError, match="equal shape"):
        point_distances(np.zeros((3, 2)), np.zeros((4, 2)))
