"""The contract of every listed environment."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from kinesight.envs import catalogue
from kinesight.geometry.camera import inside, project, unproject
from kinesight.interfaces.environment import Environment
from kinesight.types.case import STARTS
from kinesight.types.errors import KinesightError
from kinesight.types.observation import Observation, ViewRequest

NAMES = catalogue.names()
EVERYTHING = {"depth": True, "segmentation": True, "scene": True}


def started(name: str, seed: int = 0, start: str = "standard", limit: int = 500) -> Environment:
    environment = catalogue.make(name, catalogue.tasks(name)[0], seed, start=start, limit=limit)
    result = environment.reset()
    assert (result.step, result.success, result.truncated) == (0, False, False)
    return environment


@cache
def first_observation(name: str) -> Observation:
    request = ViewRequest(cameras=catalogue.cameras(name), height=96, width=128, **EVERYTHING)
    return started(name).observe(request)


@pytest.mark.parametrize("name", NAMES)
def test_observation_has_the_shapes_asked_for(name: str):
    observation = first_observation(name)
    assert observation.step == 0
    assert observation.instruction
    assert set(observation.views) == set(catalogue.cameras(name))
    for view in observation.views.values():
        assert view.rgb is not None
        assert view.depth_m is not None
        assert view.segmentation is not None
        assert view.rgb.shape == (96, 128, 3)
        assert view.rgb.dtype == np.uint8
        assert view.depth_m.dtype == np.float32
        assert view.segmentation.dtype == np.int32
        assert view.rgb.std() > 10
        assert set(np.unique(view.segmentation)) <= set(view.names)
        np.testing.assert_array_equal(view.depth_m == 0, view.segmentation == 0)
    assert observation.proprio.dtype == np.float32
    assert np.linalg.norm(observation.proprio[3:7]) == pytest.approx(1, abs=1e-5)
    assert 0 <= observation.proprio[7] <= 1


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_rendered_or_told_unasked(name: str):
    environment = started(name)
    camera = catalogue.cameras(name)[0]
    assert environment.observe(ViewRequest()).views == {}
    bare = environment.observe(ViewRequest(cameras=(camera,), rgb=False))
    assert bare.scene is None
    view = bare.views[camera]
    assert (view.rgb, view.depth_m, view.segmentation) == (None, None, None)


@pytest.mark.parametrize("name", NAMES)
def test_a_large_picture_comes_beside_the_others(name: str):
    environment = started(name)
    camera = catalogue.cameras(name)[0]
    request = ViewRequest(cameras=(camera,), height=48, width=64, depth=True)
    plain, view = (
        environment.observe(each).views[camera] for each in (request, replace(request, large_side=128))
    )
    assert plain.large_rgb is None
    np.testing.assert_array_equal(view.rgb, plain.rgb)
    np.testing.assert_array_equal(view.depth_m, plain.depth_m)
    large = environment.observe(ViewRequest(cameras=(camera,), height=96, width=128)).views[camera]
    np.testing.assert_array_equal(view.large_rgb, large.rgb)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", STARTS)
def test_a_case_is_reproduced_exactly(name: str, start: str):
    request = ViewRequest(cameras=catalogue.cameras(name)[:1], height=48, width=48, **EVERYTHING)
    first, again, other = started(name, 3, start), started(name, 3, start), started(name, 4, start)
    assert not np.array_equal(scene_state(first), scene_state(other))
    action = np.linspace(-0.5, 0.5, first.action_spec.dimensions)
    for _ in range(3):
        assert first.step(action) == again.step(action)
    assert_same(first.observe(request), again.observe(request))
    first.reset()
    np.testing.assert_array_equal(scene_state(first), scene_state(started(name, 3, start)))


@pytest.mark.parametrize("name", NAMES)
def test_looking_changes_nothing(name: str):
    watched, unwatched = started(name), started(name)
    request = ViewRequest(cameras=catalogue.cameras(name), height=64, width=64, **EVERYTHING)
    action = np.zeros(watched.action_spec.dimensions)
    for _ in range(4):
        assert_same(watched.observe(request), watched.observe(request))
        watched.step(action)
        unwatched.step(action)
    np.testing.assert_array_equal(scene_state(watched), scene_state(unwatched))


@pytest.mark.parametrize("name", NAMES)
def test_depth_and_segmentation_agree_with_the_scene(name: str):
    observation = first_observation(name)
    assert observation.scene is not None
    points = observation.scene.points
    assert {"target", "goal", "gripper"} <= set(points)
    for view in observation.views.values():
        assert view.depth_m is not None
        assert view.segmentation is not None
        ids = [index for index, label in view.names.items() if label.startswith("gripper")]
        rows, columns = np.nonzero(np.isin(view.segmentation, ids))
        assert len(rows) > 3
        pixels = np.stack([columns, rows], axis=1) + 0.5
        surface = unproject(pixels, view.depth_m[rows, columns], view.camera)
        distances = np.linalg.norm(surface - points["gripper"], axis=1)
        assert distances.min() < 0.07  # the fingers are open: 5 cm to either side
        assert np.median(distances) < 0.15
        np.testing.assert_allclose(project(surface, view.camera), pixels, atol=1e-3)
        assert inside(
            project(np.stack([points["target"], points["gripper"]]), view.camera), view.camera
        ).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_smaller_picture_shows_the_same_points(name: str):
    environment = started(name)
    camera = catalogue.cameras(name)[0]
    pixels = {}
    for size in (64, 256):
        request = ViewRequest(cameras=(camera,), height=size, width=size, rgb=False, scene=True)
        observation = environment.observe(request)
        assert observation.scene is not None
        points = np.stack(list(observation.scene.points.values()))
        pixels[size] = project(points, observation.views[camera].camera) / size
    np.testing.assert_allclose(pixels[64], pixels[256], atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_limit_truncates_and_ends(name: str):
    environment = started(name, limit=2)
    action = np.zeros(environment.action_spec.dimensions)
    assert not environment.step(action).truncated
    last = environment.step(action)
    assert (last.step, last.truncated) == (2, True)
    with pytest.raises(KinesightError, match="truncated after 2 steps"):
        environment.step(action)
    assert environment.observe(ViewRequest()).step == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.nan, 1.01, np.inf])
def test_a_wrong_action_is_refused(name: str, bad: float):
    environment = started(name)
    for dimensions in (environment.action_spec.dimensions, 1):
        with pytest.raises(KinesightError):
            environment.step(np.full(dimensions, bad))
    assert environment.observe(ViewRequest()).step == 0


@pytest.mark.parametrize("name", NAMES)
def test_it_must_be_reset_first(name: str):
    environment = catalogue.make(name, catalogue.tasks(name)[0], 0)
    with pytest.raises(KinesightError, match="reset"):
        environment.step(np.zeros(4))
    with pytest.raises(KinesightError, match="reset"):
        environment.observe(ViewRequest())


@pytest.mark.parametrize("name", NAMES)
def test_plus_one_opens_the_gripper(name: str):
    environment = started(name)
    opening = []
    for command in (-1.0, 1.0):
        for _ in range(15):
            environment.step(np.array([0.0] * (environment.action_spec.dimensions - 1) + [command]))
        opening.append(environment.observe(ViewRequest()).proprio[7])
    assert opening[1] > opening[0] + 0.3


def scene_state(environment: Environment) -> np.ndarray:
    scene = environment.observe(ViewRequest(scene=True)).scene
    assert scene is not None
    return scene.state


def assert_same(one: Observation, other: Observation) -> None:
    np.testing.assert_array_equal(one.proprio, other.proprio)
    assert one.scene is not None
    assert other.scene is not None
    np.testing.assert_array_equal(one.scene.state, other.scene.state)
    for name, view in one.views.items():
        np.testing.assert_array_equal(view.rgb, other.views[name].rgb)
        np.testing.assert_array_equal(view.depth_m, other.views[name].depth_m)
        np.testing.assert_array_equal(view.segmentation, other.views[name].segmentation)
