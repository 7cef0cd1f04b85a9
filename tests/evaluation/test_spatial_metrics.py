"""Closed forms and invariances of the spatial and the text metrics."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.evaluation.bootstrap import bootstrap_interval
from kinesight.evaluation.spatial_metrics import (
    box_hit_share,
    depth_errors,
    hit_share,
    iou,
    path_depths,
    path_errors,
    pixel_distance,
)
from kinesight.evaluation.text_metrics import chrf, token_f1
from kinesight.types.spatial import ImageBox, ImagePath, ImagePoint, ImageSize

laws = settings(max_examples=40, deadline=None)
share = st.floats(0, 1).map(lambda value: round(value, 6))
edges = st.tuples(share, share, share, share)


def box(raw: tuple[float, float, float, float], scale: float = 1.0) -> ImageBox:
    a, b, c, d = (scale * value for value in raw)
    return ImageBox(min(a, b), min(c, d), max(a, b), max(c, d))


@laws
@given(edges, edges)
def test_iou_is_symmetric_bounded_and_knows_no_unit(first, second):
    value = iou(box(first), box(second))
    assert 0 <= value <= 1
    assert value == pytest.approx(iou(box(second), box(first)))
    assert iou(box(first), box(first)) == 1
    assert iou(box(first, 0.5), box(second, 0.5)) == pytest.approx(value, abs=1e-6)


def test_iou_closed_forms():
    whole = ImageBox(0.0, 0.0, 1.0, 1.0)
    assert iou(whole, ImageBox(0.0, 0.0, 0.5, 1.0)) == 0.5
    assert iou(ImageBox(0.0, 0.0, 0.6, 1.0), ImageBox(0.4, 0.0, 1.0, 1.0)) == pytest.approx(0.2)
    assert iou(ImageBox(0.0, 0.0, 0.2, 0.2), ImageBox(0.2, 0.0, 0.4, 0.2)) == 0
    assert iou(ImageBox(0.1, 0.1, 0.1, 0.1), whole) == 0


def test_hits_are_counted_by_pixel_and_averaged_over_points():
    mask = np.zeros((2, 4), bool)
    mask[1, 2] = True
    inside, edge = ImagePoint(0.6, 0.8), ImagePoint(0.5, 0.5)
    outside, corner = ImagePoint(0.76, 0.8), ImagePoint(1.0, 1.0)
    assert hit_share((inside,), mask) == hit_share((edge,), mask) == 1
    assert hit_share((inside, outside, outside, outside), mask) == 0.25
    assert hit_share((corner,), mask) == 0
    assert hit_share((corner,), np.ones((2, 4), bool)) == 1
    assert box_hit_share((inside, outside), ImageBox(0.5, 0.5, 0.75, 1.0)) == 0.5


def test_distances_are_pixels_of_the_picture():
    a, b = ImagePoint(0.1, 0.1), ImagePoint(0.1 + 3 / 640, 0.1 + 4 / 480)
    assert pixel_distance(a, b, ImageSize(480, 640)) == pytest.approx(5)


@laws
@given(st.lists(st.tuples(share, share), min_size=2, max_size=9), share, share)
def test_path_errors_of_a_shifted_path(raw, x: float, y: float):
    path = np.array(raw) / 2
    shift = np.array([x, y]) / 2
    errors = path_errors(ImagePath(path + shift), ImagePath(path))
    length = 1000 * float(np.linalg.norm(shift))
    assert errors["rmse"] == pytest.approx(length, abs=1e-6)
    assert errors["mae"] == pytest.approx(length, abs=1e-6)
    assert errors["mae_coordinate"] == pytest.approx(1000 * shift.mean(), abs=1e-6)
    assert errors["rmse_coordinate"] * math.sqrt(2) == pytest.approx(errors["rmse"], abs=1e-6)


def test_path_errors_do_not_depend_on_how_densely_a_path_is_given():
    line = np.linspace([0.0, 0.0], [1.0, 0.5], 50)
    uneven = line[[0, 1, 2, 3, 40, 49]]
    assert path_errors(ImagePath(uneven), ImagePath(line))["rmse"] == pytest.approx(0, abs=1e-9)
    backwards = path_errors(ImagePath(line[::-1].copy()), ImagePath(line))
    assert backwards["mae"] > 500


def test_depth_errors_closed_forms():
    truth = np.array([1.0, 0.9, 0.8, 0.5])
    assert depth_errors(truth, truth)["mad"] == 0
    exact = depth_errors(truth, truth)
    assert {value for name, value in exact.items() if name != "mad"} == {1.0}
    # All depths 8 % too large: within 10 % of the depth, and the offsets within 10 % of the offsets.
    larger = depth_errors(1.08 * truth, truth)
    assert larger["ratio@5%"] == 0
    assert larger["ratio@10%"] == larger["offset_ratio@10%"] == 1
    assert larger["mad"] == pytest.approx(8 * truth.mean())
    # The depth kept at its start: nearly right by depth, never right by offset.
    kept = depth_errors(np.full(4, 1.0), truth)
    assert (kept["ratio@25%"], kept["offset_ratio@50%"]) == (0.75, 0.0)
    flat = depth_errors(np.ones(3), np.array([1.0, 1.005, 0.995]))
    assert "offset_ratio@50%" not in flat
    with pytest.raises(ValueError, match="expected 4 depths"):
        depth_errors(np.ones(3), truth)


def test_depths_are_taken_at_equal_arc_lengths():
    path = ImagePath(np.array([[0.0, 0.0], [0.1, 0.0], [1.0, 0.0]]), np.array([1.0, 1.1, 2.0]))
    np.testing.assert_allclose(path_depths(path, 3), [1.0, 1.5, 2.0])
    with pytest.raises(ValueError, match="without"):
        path_depths(ImagePath(np.zeros((2, 2))))


words = st.text("abc de", max_size=20)


@laws
@given(words, words)
def test_text_metrics_are_bounded_and_one_for_equal_texts(first: str, second: str):
    for metric in (token_f1, chrf):
        assert 0 <= metric(first, second) <= 1 + 1e-12
        assert metric(first, first) == pytest.approx(1)
    assert token_f1(first, second) == pytest.approx(token_f1(second, first))


def test_text_metrics_closed_forms():
    assert token_f1("Pick up the mug.", "pick up the RED mug") == pytest.approx(8 / 9)
    assert token_f1("open", "close") == token_f1("", "close") == chrf("xyz", "abc") == chrf("", "a") == 0
    # Two letters of three, one pair of two, no triple: precision and recall (2/3 + 1/2 + 0) / 3.
    assert chrf("abx", "aby") == pytest.approx((2 / 3 + 1 / 2) / 3)
    # Recall counts four times as much as precision: "ab" of "abcd" has precision 1, recall (1/2 + 1/3) / 2.
    recall = (1 / 2 + 1 / 3) / 2
    assert chrf("ab", "abcd") == pytest.approx(5 * recall / (4 + recall))
    assert chrf("a b", "ab") == 1


def test_bootstrap_interval_is_near_the_normal_one_and_repeatable():
    values = np.random.default_rng(0).normal(3, 2, 400)
    interval = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.03)
    assert bootstrap_interval(values) == interval
    shifted = bootstrap_interval(values + 10)
    assert shifted.low == pytest.approx(interval.low + 10)
    with pytest.raises(ValueError, match="a value at least"):
        bootstrap_interval(np.zeros(0))
