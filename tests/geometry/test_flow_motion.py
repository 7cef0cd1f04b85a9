"""Rigid motions: from exact pixels, from pixels with errors, and from pictures of a drawn object."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinesight.geometry.camera import pixel_centres, project, unproject
from kinesight.geometry.flow_motion import (
    MotionConfig,
    ObjectMotion,
    TargetLost,
    common_motion,
    fit_motion,
    inner_point,
    object_motion,
    surface_point,
    transform,
)
from kinesight.types.camera import Camera
from kinesight.types.errors import UsageError

laws = settings(max_examples=20, deadline=None)
small = st.floats(-1, 1)
vectors = st.tuples(small, small, small).map(np.array)
NO_PRIOR = MotionConfig(translation_prior_m=1e3, rotation_prior=1e3)


def looking(focal: float = 250.0, size: int = 128) -> Camera:
    """From a corner on a table, as the cameras of Meta-World do."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [-105, 0, -45], degrees=True).as_matrix()
    pose[:3, 3] = (-1.1, -0.4, 0.6)
    return Camera(
        "corner", np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]), pose, size, size
    )


CAMERA = looking()
CENTRE = CAMERA.T_world_camera[:3, 3] + 1.3 * CAMERA.T_world_camera[:3, 2]


def motion_about(centre: np.ndarray, turn: np.ndarray, way: np.ndarray) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    motion[:3, 3] = centre + way - motion[:3, :3] @ centre
    return motion


def cloud(seed: int, count: int = 60, radius: float = 0.12) -> np.ndarray:
    return CENTRE + np.random.default_rng(seed).uniform(-radius, radius, (count, 3))


@laws
@given(vectors, vectors, st.integers(0, 999))
def test_a_motion_is_recovered_from_its_projection(turn, way, seed):
    points = cloud(seed)
    true = motion_about(CENTRE, 0.5 * turn, 0.2 * way)
    found = fit_motion(points, project(transform(true, points), CAMERA), CAMERA, NO_PRIOR, rounds=100)
    np.testing.assert_allclose(transform(found, points), transform(true, points), atol=1e-4)
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-9)


@laws
@given(vectors, st.integers(0, 999))
def test_a_motion_does_not_depend_on_where_the_world_begins(offset, seed):
    points = cloud(seed)
    pixels = project(
        transform(motion_about(CENTRE, np.array([0.1, 0.2, 0]), np.full(3, 0.05)), points), CAMERA
    )
    pose = CAMERA.T_world_camera.copy()
    pose[:3, 3] += offset
    here = transform(fit_motion(points, pixels, CAMERA), points)
    there = transform(
        fit_motion(points + offset, pixels, replace(CAMERA, T_world_camera=pose)), points + offset
    )
    np.testing.assert_allclose(there - offset, here, atol=1e-7)


def test_a_fifth_of_wrong_pixels_changes_little():
    points = cloud(3, 100)
    true = motion_about(CENTRE, np.array([0.0, 0.3, 0.1]), np.array([0.05, -0.08, 0.1]))
    pixels = project(transform(true, points), CAMERA)
    pixels += np.random.default_rng(0).normal(0, 0.2, pixels.shape)
    pixels[:20] += (25, -18)
    agrees = common_motion(project(points, CAMERA), pixels, 6.0, 100, np.random.default_rng(0))
    assert not agrees[:20].any()
    assert agrees[20:].mean() > 0.6
    found = fit_motion(points[agrees], pixels[agrees], CAMERA, NO_PRIOR, rounds=100)
    error = np.linalg.norm(transform(found, CENTRE[None]) - transform(true, CENTRE[None]))
    assert error < 0.005


def test_what_the_picture_does_not_show_stays_at_rest():
    """Six points two pixels wide: their way across is measured, their way along the line of sight is not."""
    ahead = CAMERA.T_world_camera[:3, 2]
    points = cloud(1, 30, radius=0.01)
    across = np.array([ahead[1], -ahead[0], 0]) * 0.1 / np.linalg.norm(ahead[:2])
    for way, least, most in ((across, 0.095, 0.105), (0.1 * ahead, 0.0, 0.02)):
        pixels = project(points + way, CAMERA)
        moved = (transform(fit_motion(points, pixels, CAMERA), points) - points).mean(axis=0)
        assert least <= moved @ way / 0.1 <= most


def drawn(motion: np.ndarray, texture: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """A flat textured square with world corners [4 3] after a motion, on a grey ground."""
    where = project(transform(motion, corners), CAMERA) - 0.5
    height, width = texture.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, where.astype(np.float32))
    ground = np.full((CAMERA.height, CAMERA.width, 3), 110, np.uint8)
    cv2.warpPerspective(
        texture, matrix, (CAMERA.width, CAMERA.height), ground, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT
    )
    return ground


def square(side_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Texture, world corners, mask and depth of a square that faces the camera askew."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 255, (6, 6, 3), np.uint8)
    texture = cv2.resize(coarse, (90, 90), interpolation=cv2.INTER_CUBIC)
    turn = CAMERA.T_world_camera[:3, :3] @ Rotation.from_rotvec([0.3, -0.4, 0.1]).as_matrix()
    flat = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * side_m / 2
    corners = CENTRE + flat @ turn.T
    mask = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    cv2.fillConvexPoly(mask, (project(corners, CAMERA) - 0.5).round().astype(np.int32), 1)
    rays = unproject(pixel_centres(CAMERA), np.ones(mask.size), CAMERA) - CAMERA.T_world_camera[:3, 3]
    normal = turn[:, 2]
    depth = ((CENTRE - CAMERA.T_world_camera[:3, 3]) @ normal) / (rays @ normal)
    return texture, corners, mask.astype(bool), depth.reshape(mask.shape).astype(np.float32)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Video, mask, depth and true motions from the first frame of a square that slides and turns."""
    texture, corners, mask, depth = square(0.16)
    motions = [
        motion_about(CENTRE, np.array([0, 0.05, 0.1]) * t, np.array([0.03, -0.04, 0.03]) * t)
        for t in range(5)
    ]
    video = np.stack([drawn(motion, texture, corners) for motion in motions])
    return video, mask, depth, motions


def end_error_m(found: ObjectMotion, true: np.ndarray) -> float:
    return float(np.linalg.norm(found.path(found.middle)[-1] - transform(true, found.middle[None])[0]))


def test_a_drawn_motion_is_found_to_millimetres(scene):
    video, mask, depth, motions = scene
    found = object_motion(video, mask, depth, CAMERA, NO_PRIOR)
    assert found.path(found.middle).shape == (5, 3)
    assert found.agreement.min() > 0.8
    assert np.linalg.norm(motions[-1][:3, 3] - found.middle) > 0.1, "it has gone far"
    assert end_error_m(found, motions[-1]) < 0.006


def test_half_an_object_is_enough(scene):
    video, mask, depth, motions = scene
    holes = depth.copy()
    holes[::2] = 0
    holes[1] = np.nan
    video = video.copy()
    for t in (2, 3, 4):  # an arm that covers the left part of it
        centre = project(transform(motions[t], CENTRE[None]), CAMERA)[0]
        video[t, :, : int(centre[0]) - 5] = (140, 20, 20)
    found = object_motion(video, mask, holes, CAMERA, NO_PRIOR)
    assert found.agreement[-1] < 0.8
    assert end_error_m(found, motions[-1]) < 0.03, "of 23 cm"


def test_the_path_is_that_of_the_part(scene):
    video, mask, depth, _ = scene
    part = mask.copy()
    part[:, : CAMERA.width // 2] = False
    found = object_motion(video, mask, depth, CAMERA, part=part)
    whole = object_motion(video, mask, depth, CAMERA)
    assert np.linalg.norm(found.middle - whole.middle) > 0.02
    np.testing.assert_array_equal(found.steps, whole.steps)


def test_nothing_moves_in_a_still_video_and_randomness_is_the_seeds(scene):
    video, mask, depth, _ = scene
    still = object_motion(np.repeat(video[:1], 3, axis=0), mask, depth, CAMERA)
    np.testing.assert_allclose(still.path(still.middle), [still.middle] * 3, atol=1e-4)
    first, second = (object_motion(video, mask, depth, CAMERA, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.steps, second.steps)


def test_an_object_that_vanishes_counts_as_not_moving(scene):
    video, mask, depth, _ = scene
    gone = video.copy()
    gone[1:] = (10, 255, 10)
    found = object_motion(gone, mask, depth, CAMERA)
    np.testing.assert_array_equal(found.steps, np.repeat(np.eye(4)[None], 4, axis=0))
    assert found.agreement.max() < MotionConfig().least_share


def test_the_middle_of_a_ball_and_of_a_bent_thing():
    rays = unproject(pixel_centres(CAMERA), np.ones(CAMERA.height * CAMERA.width), CAMERA)
    eye = CAMERA.T_world_camera[:3, 3]
    rays = (rays - eye) / np.linalg.norm(rays - eye, axis=1, keepdims=True)
    radius, along = 0.025, rays @ (CENTRE - eye)
    inside = along**2 - np.sum((CENTRE - eye) ** 2) + radius**2
    seen = inside > 0
    surface = eye + (along - np.sqrt(inside, where=seen, out=np.zeros_like(inside)))[:, None] * rays
    pixels, points = pixel_centres(CAMERA)[seen], surface[seen]
    near = surface_point(pixels, points)
    assert np.linalg.norm(near - CENTRE) == pytest.approx(radius, abs=0.002)
    assert np.linalg.norm(inner_point(near, pixels, CAMERA, 0.05) - CENTRE) < 0.004
    np.testing.assert_allclose(inner_point(near, pixels, CAMERA, 0.0), near)
    bow = np.array([[x, 0.1 * x**2] for x in np.linspace(-20, 20, 41)]) + 60
    middle = surface_point(bow, np.c_[bow, np.zeros(41)], neighbours=1)
    assert (middle[:2] == bow).all(axis=1).any()


def test_pictures_that_do_not_fit_are_named(scene):
    video, mask, depth, _ = scene
    with pytest.raises(UsageError, match="two frames or more and pictures of one size, got 1 frames"):
        object_motion(video[:1], mask, depth, CAMERA)
    with pytest.raises(UsageError, match=r"a camera of \(64, 64\)"):
        object_motion(video, mask, depth, looking(size=64))


def test_a_hidden_object_is_lost(scene):
    video, mask, depth, _ = scene
    with pytest.raises(TargetLost, match=r"0 pixels with a depth \(0 in its mask\), at least 6"):
        object_motion(video, np.zeros_like(mask), depth, CAMERA)
    with pytest.raises(TargetLost, match="0 pixels with a depth"):
        object_motion(video, mask, np.zeros_like(depth), CAMERA)
    with pytest.raises(TargetLost):
        object_motion(video, mask, depth, CAMERA, part=np.zeros_like(mask))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("samples", 2),
        ("zoom", 0),
        ("tolerance_px", 0.0),
        ("least_share", 1.5),
        ("reach", -0.1),
        ("deepest_m", -1.0),
    ],
)
def test_wrong_settings_are_refused(field, value):
    with pytest.raises(UsageError, match=field):
        MotionConfig(**{field: value})
