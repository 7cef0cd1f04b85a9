import numpy as np
import pytest

from kinesight.geometry.camera import project
from kinesight.geometry.scene_overlay import (
    AXES,
    draw_axes,
    draw_box,
    draw_mask,
    draw_tag,
    draw_text,
    plain,
    rotation_xyzw,
    text_width,
)
from kinesight.types.camera import Camera
from kinesight.types.spatial import ImageBox


@pytest.fixture
def picture() -> np.ndarray:
    return np.full((96, 128, 3), 90, np.uint8)


@pytest.fixture
def camera() -> Camera:
    """Looks along world z with x to the right and y down."""
    return Camera("any", np.array([[100.0, 0, 64], [0, 100, 48], [0, 0, 1]]), np.eye(4), 96, 128)


def test_a_mask_tints_its_own_pixels_only(picture):
    mask = np.zeros((96, 128), bool)
    mask[20:40, 30:60] = True
    drawn = draw_mask(picture, mask, (250, 0, 0), share=0.5)
    assert (drawn[~mask] == 90).all()
    assert (drawn[25:35, 35:55] == (170, 45, 45)).all()
    assert (picture == 90).all(), "the input is left alone"
    assert (draw_mask(picture, np.zeros_like(mask), (250, 0, 0)) == picture).all()


@pytest.mark.parametrize("top", [0.0, 0.5])
def test_a_box_has_its_edges_and_its_tag_outside_of_them(picture, top):
    box = ImageBox(0.25, top, 0.5, top + 0.25)
    drawn = draw_box(picture, box, (250, 0, 0))
    rows, columns = np.nonzero((drawn != picture).any(axis=2))
    assert (rows.min(), rows.max()) == (round(96 * top), round(96 * (top + 0.25)) - 1)
    assert (columns.min(), columns.max()) == (32, 63)
    tagged = draw_tag(drawn, box, (250, 0, 0), "cube")
    inside = slice(round(96 * top) + 1, round(96 * (top + 0.25)) - 1), slice(33, 62)
    assert (tagged[inside] == 90).all()
    assert (tagged != drawn).any()


def test_axes_point_where_the_pose_says(picture, camera):
    position, turn = np.array([0.0, 0.0, 1.0]), rotation_xyzw(np.array([0, 0, np.sin(0.4), np.cos(0.4)]))
    drawn = draw_axes(picture, camera, position, turn, length_m=0.3)
    for axis in range(2):
        x, y = np.rint(project((position + 0.24 * turn[:, axis])[None], camera)[0] - 0.5).astype(int)
        assert np.abs(drawn[y, x].astype(int) - AXES[axis]).max() < 40
    behind = draw_axes(picture, camera, np.array([0.0, 0.0, -1.0]), turn)
    assert (behind == picture).all()


def test_quaternions_become_rotations():
    generator = np.random.default_rng(0)
    for quaternion in generator.normal(size=(10, 4)):
        turn = rotation_xyzw(quaternion)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)
        np.testing.assert_allclose(turn, rotation_xyzw(-3 * quaternion), atol=1e-12)
    quarter = rotation_xyzw(np.array([0, 0, np.sqrt(0.5), np.sqrt(0.5)]))
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_text_is_drawn_in_the_letters_that_there_are(picture):
    assert plain("15° – µ") == "15? ? ?"
    assert text_width("15°", 0.5) == text_width("15?", 0.5) > 10
    assert (draw_text(picture, "abc", (4, 40), 0.5, (255, 255, 255)) != picture).any()
