import numpy as np
import pytest

from kinesight.geometry.overlay import draw_marker, draw_path, draw_plan
from kinesight.types.plan import PlanRow, SpatialPlan

PLAN = SpatialPlan((PlanRow("move", (-1, 1, -1), 0.19), PlanRow("grasp", (0, 0, 0), 0.0)))


@pytest.fixture
def picture() -> np.ndarray:
    return np.full((96, 128, 3), 90, np.uint8)


def test_a_marker_lies_where_it_should(picture):
    drawn = draw_marker(picture, np.array([40.5, 60.5]))
    rows, columns = np.nonzero((drawn != picture).any(axis=2))
    assert (rows.mean(), columns.mean()) == pytest.approx((60, 40), abs=0.05)
    assert (picture == 90).all(), "the input is left alone"
    assert (draw_marker(picture, np.array([np.nan, 3.0])) == picture).all()


def test_a_path_follows_its_pixels_and_breaks_at_nan(picture):
    path = np.array([[10.5, 20.5], [100.5, 20.5], [np.nan, np.nan], [10.5, 80.5], [100.5, 80.5]])
    rows, columns = np.nonzero((draw_path(picture, path) != picture).any(axis=2))
    assert set(rows) <= {*range(18, 23), *range(78, 83)}
    assert (columns.min(), columns.max()) == pytest.approx((10, 101), abs=2)
    assert (draw_path(picture, path[:1]) == picture).all()


@pytest.mark.parametrize("size", [64, 96, 320])
def test_a_plan_gets_a_strip_under_the_picture(size):
    picture = np.zeros((size, size, 3), np.uint8)
    drawn = draw_plan(picture, PLAN)
    assert drawn.shape[1] == size
    assert drawn.shape[0] > size
    assert (drawn[:size] == picture).all()
    assert draw_plan(picture, SpatialPlan(())).shape[0] > size
