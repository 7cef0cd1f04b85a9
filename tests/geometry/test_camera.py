import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinesight.geometry import camera as geometry
from kinesight.types.camera import FULL_VIEW, Camera, CropWindow

laws = settings(max_examples=25, deadline=None)
numbers = st.floats(-3, 3)
vectors = st.tuples(numbers, numbers, numbers)
sizes = st.integers(8, 90)


@st.composite
def cameras(draw) -> Camera:
    height, width = draw(sizes), draw(sizes)
    fx, fy, skew = draw(st.floats(20, 900)), draw(st.floats(20, 900)), draw(st.floats(-2, 2))
    K = np.array(
        [[fx, skew, draw(st.floats(0, 1)) * width], [0, fy, draw(st.floats(0, 1)) * height], [0, 0, 1]]
    )
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(draw(vectors)).as_matrix()
    pose[:3, 3] = draw(vectors)
    return Camera("any", K, pose, height, width)


@st.composite
def windows(draw) -> CropWindow:
    top, left = draw(st.floats(0, 0.9)), draw(st.floats(0, 0.9))
    return CropWindow(top, left, draw(st.floats(0.01, 1 - top)), draw(st.floats(0.01, 1 - left)))


@laws
@given(cameras(), st.integers(0, 2**32 - 1))
def test_project_inverts_unproject(camera, seed):
    random = np.random.default_rng(seed)
    pixels = random.uniform(0, 1, (20, 2)) * (camera.width, camera.height)
    depth = random.uniform(0.05, 10, 20)
    points = geometry.unproject(pixels, depth, camera)
    np.testing.assert_allclose(geometry.project(points, camera), pixels, atol=1e-6)
    np.testing.assert_allclose(geometry.world_to_camera(points, camera)[:, 2], depth, atol=1e-9)
    back = geometry.unproject(geometry.project(points, camera), depth, camera)
    np.testing.assert_allclose(back, points, atol=1e-6)


@laws
@given(cameras(), st.integers(0, 2**32 - 1))
def test_camera_and_world_frames_are_inverse(camera, seed):
    points = np.random.default_rng(seed).normal(size=(5, 3))
    there = geometry.world_to_camera(points, camera)
    np.testing.assert_allclose(geometry.camera_to_world(there, camera), points, atol=1e-9)


def test_axes_and_pixel_centres():
    camera = Camera("front", np.array([[100.0, 0, 2], [0, 100, 1], [0, 0, 1]]), np.eye(4), 2, 4)
    points = np.array([[0.0, 0, 1], [0.01, 0, 1], [0, 0.01, 1], [0, 0, 0], [0, 0, -1]])
    pixels = geometry.project(points, camera)
    np.testing.assert_allclose(pixels[:3], [[2, 1], [3, 1], [2, 2]])
    assert np.isnan(pixels[3:]).all(), "points that are not in front of the camera have no pixel"
    assert geometry.inside(pixels, camera).tolist() == [True, True, False, False, False]
    np.testing.assert_allclose(
        geometry.pixel_centres(camera)[[0, 1, 4]], [[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]]
    )


def test_invalid_depth_is_nan():
    camera = Camera("front", np.diag([100.0, 100, 1]), np.eye(4), 8, 8)
    points = geometry.unproject(np.full((2, 2), 4.0), np.array([0.0, 1.0]), camera)
    assert np.isnan(points[0]).all()
    assert np.isfinite(points[1]).all()


@laws
@given(cameras(), windows(), st.integers(0, 2**32 - 1))
def test_crop_moves_pixels_as_the_picture(camera, window, seed):
    cropped = geometry.crop(camera, window)
    picture = geometry.pixel_centres(camera).reshape(camera.height, camera.width, 2)
    part = geometry.crop_picture(picture, window)
    assert part.shape[:2] == (cropped.height, cropped.width)
    depth = np.random.default_rng(seed).uniform(0.1, 5, part.shape[0] * part.shape[1])
    original = geometry.unproject(part.reshape(-1, 2), depth, camera)
    np.testing.assert_allclose(
        geometry.unproject(geometry.pixel_centres(cropped), depth, cropped), original, atol=1e-6
    )


@laws
@given(cameras(), sizes, sizes, st.integers(0, 2**32 - 1))
def test_resize_scales_pixels(camera, height, width, seed):
    points = geometry.camera_to_world(
        np.random.default_rng(seed).uniform([-1, -1, 0.5], [1, 1, 3], (6, 3)), camera
    )
    resized = geometry.resize(camera, height, width)
    scale = np.array([width / camera.width, height / camera.height])
    np.testing.assert_allclose(
        geometry.project(points, resized), geometry.project(points, camera) * scale, rtol=1e-9, atol=1e-6
    )
    back = geometry.resize(resized, camera.height, camera.width)
    np.testing.assert_allclose(back.K, camera.K, rtol=1e-9, atol=1e-9)


@laws
@given(cameras())
def test_full_view_changes_nothing(camera):
    cropped = geometry.crop(camera, FULL_VIEW)
    assert (cropped.height, cropped.width) == (camera.height, camera.width)
    np.testing.assert_allclose(cropped.K, camera.K)


@pytest.mark.parametrize("window", [CropWindow(0.99, 0.99, 0.01, 0.01), CropWindow(0.0, 0.0, 0.01, 0.01)])
def test_a_tiny_window_keeps_one_pixel(window):
    camera = Camera("small", np.diag([10.0, 10, 1]), np.eye(4), 10, 10)
    cropped = geometry.crop(camera, window)
    assert (cropped.height, cropped.width) == (1, 1)


def test_points_of_any_float_width():
    camera = Camera("front", np.diag([100.0, 100, 1]).astype(np.float32), np.eye(4, dtype=np.float32), 8, 8)
    pixels = geometry.project(np.ones((2, 3), np.float32), camera)
    assert pixels.dtype == np.float64
    assert geometry.crop(camera, CropWindow(0.0, 0.0, 0.5, 0.5)).height == 4
