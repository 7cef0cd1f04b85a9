import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.geometry.picture_marks import counts, deepest_point, mask_mark, object_marks
from kinesight.types.spatial import ImageBox

NAMES = {0: "background", 1: "cup/body", 2: "cup/handle", 3: "coin/face"}


def picture() -> np.ndarray:
    segmentation = np.zeros((40, 80), np.int32)
    segmentation[10:20, 20:40] = 1
    segmentation[12:18, 40:46] = 2
    segmentation[30:33, 5:10] = 3
    segmentation[0:2, 60:80] = 9
    return segmentation


def test_boxes_are_outer_edges_and_parts_are_told_apart():
    marks = {mark.name: mark for mark in object_marks(picture(), NAMES)}
    assert set(marks) == {"background", "cup"}, "15 pixels are too few, id 9 has no name"
    assert marks["cup"].box == ImageBox(20 / 80, 10 / 40, 46 / 80, 20 / 40, "cup")
    assert marks["cup"].pixels == 236
    assert not marks["cup"].cut_off
    assert marks["background"].cut_off
    parts = {mark.name: mark for mark in object_marks(picture(), NAMES, least_pixels=1, parts=True)}
    assert {"cup/body", "cup/handle", "coin/face"} < set(parts)
    assert parts["cup/handle"].box.left == 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_point_is_on_the_object_and_in_its_box(seed: int):
    mask = np.random.default_rng(seed).random((9, 13)) < 0.3
    if not mask.any():
        return
    mark = mask_mark("thing", mask)
    x, y = mark.point.xy
    assert mask[int(y * 9), int(x * 13)]
    assert mark.box.left < x < mark.box.right
    assert mark.box.top < y < mark.box.bottom
    edges = np.array(mark.box.edges) * [13, 9, 13, 9]
    left, top, right, bottom = edges.round().astype(int)
    assert mask[top:bottom, left:right].sum() == mask.sum()


def test_the_point_of_a_ring_is_in_the_ring_not_in_the_hole():
    y, x = np.mgrid[:41, :41] - 20
    radius = np.hypot(x, y)
    ring = (radius < 18) & (radius > 10)
    point = deepest_point(ring)
    assert abs(np.hypot(point.x * 41 - 20.5, point.y * 41 - 20.5) - 14) < 1.5


def test_bad_pictures_are_named_and_counts_go_by_kind():
    with pytest.raises(ValueError, match="'cup' shows no pixel"):
        mask_mark("cup", np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match="with pixels was expected"):
        object_marks(np.zeros((0, 4), np.int32), NAMES)
    with pytest.raises(ValueError, match="has no point"):
        deepest_point(np.zeros((3, 3), bool))
    assert counts(["block_1", "block 2", "block3", "mug"]) == {"block": 3, "mug": 1}
