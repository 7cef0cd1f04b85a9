import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinesight.geometry.camera import pixel_centres, unproject
from kinesight.geometry.plane import fit_plane, signed_distance, table_plane
from kinesight.types.camera import Camera


def camera_over_table() -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [-140, 0, 35], degrees=True).as_matrix()
    pose[:3, 3] = (-0.3, -0.8, 0.9)
    return Camera("over", np.array([[150.0, 0, 64], [0, 150, 48], [0, 0, 1]]), pose, 96, 128)


def rendered(camera: Camera, normal: np.ndarray, offset: float) -> np.ndarray:
    """z-depth of a plane by ray-plane intersection; 0 where a ray misses it."""
    rays = unproject(pixel_centres(camera), np.ones(camera.height * camera.width), camera)
    origin = camera.T_world_camera[:3, 3]
    with np.errstate(divide="ignore"):
        depth = (offset - origin @ normal) / ((rays - origin) @ normal)
    depth = np.where((depth > 0) & (depth < 20), depth, 0)
    return depth.reshape(camera.height, camera.width).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.floats(-0.2, 0.3), st.integers(0, 99))
def test_a_rendered_table_is_found_to_a_millimetre(slope_x, slope_y, height, seed):
    normal = np.array([slope_x, slope_y, 1.0]) / np.linalg.norm([slope_x, slope_y, 1.0])
    camera = camera_over_table()
    depth = rendered(camera, normal, height)
    table = np.flatnonzero(depth.reshape(-1) > 0)
    random = np.random.default_rng(seed)
    depth = depth + random.normal(0, 0.001, depth.shape).astype(np.float32) * (depth > 0)
    depth[20:50, 30:70] *= 0.8  # something that stands on it
    plane = table_plane(depth, camera, seed=seed)
    points = unproject(
        pixel_centres(camera)[table], rendered(camera, normal, height).reshape(-1)[table], camera
    )
    assert np.abs(signed_distance(points, plane)).max() < 1e-3
    assert plane.normal @ normal > 0.9999, "upwards, to the side of what stands on it"


def test_outliers_and_nan_do_not_belong():
    random = np.random.default_rng(0)
    flat = np.c_[random.uniform(-1, 1, (300, 2)), np.zeros(300)]
    above = random.uniform([-1, -1, 0.1], [1, 1, 1], (120, 3))
    points = np.concatenate([flat, above, np.full((5, 3), np.nan)])
    plane, belongs = fit_plane(points)
    assert belongs[:300].all()
    assert not belongs[300:].any()
    np.testing.assert_allclose([*plane.normal, plane.offset_m], [0, 0, 1, 0], atol=1e-9)


@pytest.mark.parametrize("points", [np.zeros((2, 3)), np.full((9, 3), np.nan), np.zeros((9, 3))])
def test_no_plane_is_refused(points):
    with pytest.raises(ValueError, match="a plane needs"):
        fit_plane(points)
