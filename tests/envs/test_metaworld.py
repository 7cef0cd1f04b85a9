"""Meta-World: same layouts as the original, our conventions, starts, experts and crop windows."""

import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE as STOCK

from kinesight.envs import catalogue
from kinesight.envs.metaworld import MetaWorld, make_simulation, shift_action
from kinesight.envs.metaworld_expert import ScriptedExpert
from kinesight.envs.metaworld_tables import CAMERAS, COUNTERPARTS, CROPS, INSTRUCTIONS, SP11, crop_window
from kinesight.envs.noisy import SEGMENT_STEPS, Noisy
from kinesight.geometry.camera import inside, pixel_centres, project, unproject
from kinesight.geometry.plane import fit_plane
from kinesight.types.case import SHIFT_STEPS, STARTS, Case
from kinesight.types.errors import KinesightError
from kinesight.types.observation import Observation, StepResult, ViewRequest


def started(task: str, seed: int = 0, start: str = "standard", limit: int = 500) -> MetaWorld:
    environment = MetaWorld(Case("metaworld", task, seed, "corner", start), limit)
    environment.reset()
    return environment


def observed(environment: MetaWorld, **request: object) -> Observation:
    return environment.observe(ViewRequest(scene=True, **request))  # type: ignore[arg-type]


def state(environment: MetaWorld) -> np.ndarray:
    scene = observed(environment).scene
    assert scene is not None
    return scene.state


def assert_equals_stock(task: str, seed: int) -> MetaWorld:
    stock = STOCK[f"{task}-v3-goal-observable"](seed=seed)
    expected, _ = stock.reset()
    ours = started(task, seed)
    np.testing.assert_array_equal(state(ours), expected)
    for action in np.random.default_rng(0).uniform(-1, 1, (4, 4)):
        expected, _, _, _, info = stock.step(action)
        result = ours.step(action * [1, 1, 1, -1])
        np.testing.assert_array_equal(state(ours), expected)
        assert result.success == (info["success"] > 0)
    return ours


def assert_is_drawn(environment: MetaWorld) -> None:
    request = ViewRequest(cameras=("corner3",), height=32, width=32, depth=True, segmentation=True)
    view = environment.observe(request).views["corner3"]
    assert view.rgb is not None
    assert view.rgb.std() > 5


@pytest.mark.parametrize("task", SP11)
def test_layouts_and_dynamics_are_those_of_a_fresh_metaworld_environment(task: str):
    assert_equals_stock(task, seed=7)
    assert_is_drawn(assert_equals_stock(task, seed=8))


@pytest.mark.sweep
@pytest.mark.parametrize("task", [task for task in INSTRUCTIONS if task not in SP11])
def test_every_other_task_equals_the_original_and_is_drawn(task: str):
    assert_is_drawn(assert_equals_stock(task, seed=1))


def test_global_random_state_is_left_alone():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.uniform(size=3)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    started("door-open", 5, "shifted")
    np.testing.assert_array_equal(np.random.uniform(size=3), expected)  # noqa: NPY002


def test_shift_is_a_fixed_function_of_task_and_seed():
    action = shift_action("door-open", 0)
    np.testing.assert_array_equal(action, shift_action("door-open", 0))
    np.testing.assert_allclose(action, PINNED_SHIFT, atol=1e-12)
    others = [shift_action("door-open", 1), shift_action("door-close", 0), shift_action("door-open", 0, 1)]
    assert not any(np.allclose(action, other) for other in others)
    draws = np.array([shift_action("reach", seed) for seed in range(500)])
    assert np.all(draws[:, 3] == 1)
    np.testing.assert_allclose(draws[:, :3].mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(draws[:, :3].std(axis=0), 1 / np.sqrt(3), atol=0.05)


PINNED_SHIFT = [-0.7038930548138389, 0.041024568398755346, -0.0843418592360341, 1.0]


@pytest.mark.parametrize("task", SP11)
def test_shifted_starts_lie_elsewhere(task: str):
    hands = {
        start: np.array([state(started(task, seed, start))[:3] for seed in range(4)]) for start in STARTS
    }
    moved = np.linalg.norm(hands["shifted"] - hands["standard"], axis=1)
    assert np.median(moved) > 0.08
    assert moved.min() > 0.02
    spread = {start: positions.std(axis=0).max() for start, positions in hands.items()}
    assert spread["shifted"] > 0.04 > 0.005 > spread["standard"]


def test_a_shift_that_solves_the_task_is_drawn_again():
    task, seed = "handle-press", 12
    first = make_simulation(task, seed)
    first.reset()
    theirs = shift_action(task, seed) * [1, 1, 1, -1]
    assert any(first.step(theirs)[4]["success"] > 0 for _ in range(SHIFT_STEPS))
    second = make_simulation(task, seed)
    expected, _ = second.reset()
    for _ in range(SHIFT_STEPS):
        expected, *_ = second.step(shift_action(task, seed, 1) * [1, 1, 1, -1])
    environment = MetaWorld(Case("metaworld", task, seed, "corner", "shifted"))
    assert not environment.reset().success
    np.testing.assert_array_equal(state(environment), expected)


def test_shift_steps_do_not_count():
    environment = started("reach", 0, "shifted", limit=500)
    for _ in range(499):
        assert not environment.step(np.zeros(4)).truncated
    assert environment.step(np.zeros(4)) == StepResult(500, False, True)
    with pytest.raises(KinesightError, match="truncated"):
        environment.step(np.zeros(4))


def test_limits_beyond_metaworlds_own_are_possible():
    environment = started("reach", limit=503)
    for _ in range(502):
        assert not environment.step(np.zeros(4)).truncated
    assert environment.step(np.zeros(4)).truncated


def test_points_and_proprioception():
    environment = started("hammer")
    observation = observed(environment)
    assert observation.scene is not None
    points, raw = observation.scene.points, observation.scene.state
    assert raw.shape == (39,)
    np.testing.assert_array_equal(points["nail"], raw[11:14])
    np.testing.assert_allclose(observation.proprio[:3], raw[:3], atol=1e-6)
    assert observation.proprio[7] == pytest.approx(raw[3])
    below = points["hand"] - points["gripper"]
    np.testing.assert_allclose(below, [0, 0, 0.045], atol=0.005)  # the fingers point down
    for _ in range(10):
        environment.step(np.array([1.0, 0, 0, 1.0]))
    moved = observed(environment).proprio[:3] - observation.proprio[:3]
    assert 0.03 < moved[0] < 0.1  # the hand lags behind its set point
    np.testing.assert_allclose(moved[1:], 0, atol=0.01)


def test_pictures_are_upright():
    observation = observed(started("reach"), cameras=CAMERAS)
    assert observation.scene is not None
    gripper = observation.scene.points["gripper"]
    for view in observation.views.values():
        lower, upper = project(np.stack([gripper, gripper + np.array([0, 0, 0.1])]), view.camera)
        assert upper[1] < lower[1] - 5


@pytest.mark.parametrize("camera", CAMERAS)
def test_table_plane_is_met_within_a_millimetre(camera: str):
    request = ViewRequest(cameras=(camera,), height=240, width=320, rgb=False, depth=True, segmentation=True)
    view = started("reach").observe(request).views[camera]
    assert view.depth_m is not None
    assert view.segmentation is not None
    table = [index for index, name in view.names.items() if name == "table/tablelink"]
    points = unproject(pixel_centres(view.camera), view.depth_m.ravel(), view.camera)
    near = np.all(np.abs(points[:, :2] - [0, 0.6]) < [0.5, 0.3], axis=1)
    plane, members = fit_plane(points[np.isin(view.segmentation.ravel(), table) & near])
    assert members.sum() > 1000
    assert abs(plane.offset_m) < 1e-3  # the top of the table is z = 0
    np.testing.assert_allclose(np.abs(plane.normal), [0, 0, 1], atol=1e-3)


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_crop_is_part_of_the_full_view(camera: str):
    environment = started("door-open", 2)
    window = crop_window("door-open", camera)
    size = round(100 * window.height)
    modalities = {"cameras": (camera,), "depth": True, "segmentation": True}
    crop = environment.observe(ViewRequest(height=size, width=size, **modalities)).views[camera]
    full = environment.observe(ViewRequest(height=100, width=100, crop=False, **modalities)).views[camera]
    top, left = round(100 * window.top), round(100 * window.left)
    part = np.s_[top : top + size, left : left + size]
    assert full.rgb is not None
    assert full.depth_m is not None
    assert full.segmentation is not None
    assert crop.segmentation is not None
    same = crop.segmentation == full.segmentation[part]
    assert same.mean() > 0.995  # a pixel's centre may lie on an edge
    assert np.abs(crop.depth_m - full.depth_m[part])[same].max() < 1e-3
    assert np.mean(np.abs(crop.rgb - full.rgb[part].astype(int))) < 1.0
    points = np.random.default_rng(0).uniform([-0.3, 0.4, 0], [0.3, 0.9, 0.4], (20, 3))
    np.testing.assert_allclose(project(points, crop.camera), project(points, full.camera) - [left, top])


def episode(task: str, seed: int, start: str, agent=None) -> tuple[bool, list[Observation]]:
    environment = started(task, seed, start)
    agent = agent or catalogue.expert("metaworld", environment.case)
    agent.reset(environment.case)
    result, seen = StepResult(0, False, False), []
    while not (result.success or result.truncated or result.step > 200):
        seen.append(environment.observe(agent.request()))
        result = environment.step(agent.act(seen[-1]).action)
    return result.success, [*seen, environment.observe(agent.request())]


EXPERT_SUCCEEDS = {("door-open", "shifted"): 2002, ("hammer", "shifted"): 2001}
"""First seed from 2000 on where it is not 2000."""


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("task", SP11)
def test_the_expert_succeeds_inside_the_crop_windows(task: str, start: str):
    seed = EXPERT_SUCCEEDS.get((task, start), 2000)
    success, seen = episode(task, seed, start)
    assert success
    views = MetaWorld(Case("metaworld", task, seed, "corner"))
    views.reset()
    cameras = [view.camera for view in views.observe(ViewRequest(cameras=CAMERAS, rgb=False)).views.values()]
    for observation in seen:
        assert observation.scene is not None
        points = np.stack(list(observation.scene.points.values()))
        for camera in cameras:
            assert inside(project(points, camera), camera).all()


def test_tasks_that_begin_alike_look_alike():
    """Otherwise the window says which of them is meant, and nobody has to be told."""
    for task, other in COUNTERPARTS.items():
        assert all(crop_window(task, camera) == crop_window(other, camera) for camera in CAMERAS)


def test_all_eleven_tasks_have_square_windows():
    assert set(CROPS) == {(task, camera) for task in SP11 for camera in CAMERAS}
    assert all(window.height == window.width for window in CROPS.values())


def test_noise_comes_in_bursts_and_labels_stay_clean():
    case = Case("metaworld", "button-press", 1, "corner")
    noisy, clean = Noisy(ScriptedExpert(), 0.5), ScriptedExpert()
    noisy.reset(case)
    clean.reset(case)
    environment = started("button-press", 1)
    changed = []
    for _ in range(6 * SEGMENT_STEPS):
        observation = environment.observe(noisy.request())
        decision, wanted = noisy.act(observation), clean.act(observation).action
        np.testing.assert_array_equal(decision.action if decision.label is None else decision.label, wanted)
        assert decision.action[3] == wanted[3]
        changed.append(decision.label is not None)
        environment.step(decision.action)
    by_segment = np.reshape(changed, (-1, SEGMENT_STEPS))
    assert np.all(by_segment.all(axis=1) | ~by_segment.any(axis=1))
    assert 0 < by_segment[:, 0].sum() < len(by_segment)
    again = episode("button-press", 1, "standard", Noisy(ScriptedExpert(), 0.5))[1]
    np.testing.assert_array_equal(
        again[-1].proprio, episode("button-press", 1, "standard", Noisy(ScriptedExpert(), 0.5))[1][-1].proprio
    )
