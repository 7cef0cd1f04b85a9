import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.geometry.clusters import clusters, level_plane


def flat(height: int, width: int, pitch_m: float = 0.01) -> np.ndarray:
    """Points of a level picture, one pixel `pitch_m` apart."""
    y, x = np.mgrid[:height, :width] * pitch_m
    return np.stack([x, y, np.zeros_like(x)], axis=2)


def separate(points, keep, labels=None, **settings) -> np.ndarray:
    labels = np.zeros(keep.shape, int) if labels is None else labels
    return clusters(points, keep, labels, **settings)


def two_squares() -> np.ndarray:
    keep = np.zeros((12, 20), bool)
    keep[2:6, 2:6] = True
    keep[2:10, 10:18] = True
    return keep


def test_two_things_apart_get_two_ids_the_larger_first():
    keep = two_squares()
    ids = separate(flat(12, 20), keep)
    assert (ids[2:6, 2:6] == 2).all()
    assert (ids[2:10, 10:18] == 1).all()
    assert (ids[~keep] == 0).all()


def test_a_thin_line_does_not_cut_a_thing():
    keep = np.ones((8, 9), bool)
    keep[:, 4] = False
    assert set(np.unique(separate(flat(8, 9), keep))) == {0, 1}
    keep[:, 3:6] = False
    assert set(np.unique(separate(flat(8, 9), keep))) == {0, 1, 2}


def test_a_step_in_depth_cuts_what_touches_in_the_picture():
    points = flat(8, 8)
    points[:, 4:, 2] = 0.1
    ids = separate(points, np.ones((8, 8), bool), gap_m=0.03)
    assert len(np.unique(ids)) == 2
    assert len(np.unique(separate(points, np.ones((8, 8), bool), gap_m=0.2))) == 1


def test_another_label_cuts_too():
    labels = np.zeros((8, 8), int)
    labels[:, 4:] = 3
    ids = separate(flat(8, 8), np.ones((8, 8), bool), labels)
    assert len(np.unique(ids)) == 2
    assert (ids[:, :4] == ids[0, 0]).all()


def test_specks_are_nothing():
    keep = np.zeros((9, 9), bool)
    keep[4, 4:7] = True
    assert not separate(flat(9, 9), keep, min_pixels=4).any()
    assert separate(flat(9, 9), keep, min_pixels=3).sum() == 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 1)])
def test_pictures_may_be_tiny(shape):
    ids = separate(flat(*shape), np.ones(shape, bool), min_pixels=1)
    assert (ids == 1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.floats(0.0, 0.3))
def test_holes_of_a_depth_camera_leave_a_thing_whole(seed, share):
    points = flat(20, 20)
    holes = np.random.default_rng(seed).random((20, 20)) < share
    points[holes] = np.nan
    ids = separate(points, np.ones((20, 20), bool))
    assert (ids[holes] == 0).all()
    assert (ids == 1).sum() > 0.98 * (~holes).sum()


def test_turning_the_picture_turns_the_ids():
    keep = two_squares()
    points = flat(12, 20)
    upright = separate(points, keep)
    turned = separate(points[::-1, ::-1].copy(), keep[::-1, ::-1].copy())
    np.testing.assert_array_equal(upright, turned[::-1, ::-1])


def cloud(random, count, spans) -> np.ndarray:
    return np.stack([random.uniform(low, high, count) for low, high in spans], axis=1)


def test_the_level_plane_is_found_below_a_larger_wall():
    random = np.random.default_rng(0)
    wall = cloud(random, 900, ((0, 1), (0.5, 0.5), (0, 1)))
    table = cloud(random, 500, ((0, 1), (0, 1), (0.2, 0.2)))
    plane = level_plane(np.concatenate([wall, table, np.full((30, 3), np.nan)]))
    assert plane is not None
    assert plane.normal == pytest.approx([0, 0, 1], abs=1e-6)
    assert plane.offset_m == pytest.approx(0.2, abs=1e-6)


def test_the_normal_points_up_even_if_more_lies_below():
    random = np.random.default_rng(1)
    points = np.concatenate(
        [cloud(random, 500, ((0, 1), (0, 1), (0, 0))), cloud(random, 100, ((0, 1), (0, 1), (-1, -0.2)))]
    )
    plane = level_plane(points)
    assert plane is not None
    assert plane.normal[2] == pytest.approx(1.0)


def test_without_a_level_plane_there_is_none():
    random = np.random.default_rng(2)
    assert level_plane(cloud(random, 500, ((0, 1), (0.5, 0.5), (0, 1)))) is None
    assert level_plane(np.full((500, 3), np.nan)) is None
    assert level_plane(cloud(random, 500, ((0, 1), (0.5, 0.5), (0.5, 0.5)))) is None, "a line"
