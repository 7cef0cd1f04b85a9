"""The renderer: culling, cache, clean exit, and messages where OpenGL is missing."""

import os
import subprocess
import sys

import numpy as np
import pytest

from kinesight.envs import catalogue, mujoco_renderer, opengl
from kinesight.envs.mujoco_renderer import windowed_camera
from kinesight.geometry.camera import project
from kinesight.types.camera import FULL_VIEW, CropWindow
from kinesight.types.errors import KinesightError, MissingDependency, UsageError
from kinesight.types.observation import View, ViewRequest

REQUEST = ViewRequest(cameras=("corner", "corner2"), height=48, width=64, depth=True, segmentation=True)


def views(task: str, request: ViewRequest = REQUEST) -> dict[str, View]:
    environment = catalogue.make("metaworld", task, 0)
    environment.reset()
    return dict(environment.observe(request).views)


def assert_same(one: dict[str, View], other: dict[str, View]) -> None:
    for name, view in one.items():
        np.testing.assert_array_equal(view.rgb, other[name].rgb)
        np.testing.assert_array_equal(view.depth_m, other[name].depth_m)
        np.testing.assert_array_equal(view.segmentation, other[name].segmentation)


def test_leaving_out_what_is_outside_changes_no_pixel(monkeypatch: pytest.MonkeyPatch):
    culled = views("hammer")
    monkeypatch.setattr(mujoco_renderer, "_in_view", lambda camera, centres, radii: np.ones(len(radii), bool))
    assert_same(culled, views("hammer"))


def test_each_modality_is_the_same_alone():
    together = views("faucet-open")["corner"]
    for name in ("rgb", "depth", "segmentation"):
        wanted = {"rgb": False, name: True}
        alone = views("faucet-open", ViewRequest(cameras=("corner",), height=48, width=64, **wanted))[
            "corner"
        ]
        key = "depth_m" if name == "depth" else name
        np.testing.assert_array_equal(getattr(alone, key), getattr(together, key))


def test_models_make_room_for_each_other(monkeypatch: pytest.MonkeyPatch):
    before = views("hammer"), views("door-open")
    monkeypatch.setattr(mujoco_renderer, "MAX_CONTEXTS", 1)
    for _ in range(2):
        assert_same(before[0], views("hammer"))
        assert_same(before[1], views("door-open"))


def test_large_pictures_fit():
    view = views("door-open", ViewRequest(cameras=("corner",), height=700, width=900, crop=False))["corner"]
    small = views("door-open", ViewRequest(cameras=("corner",), height=70, width=90, crop=False))["corner"]
    assert view.rgb is not None
    assert small.rgb is not None
    averaged = view.rgb.reshape(70, 10, 90, 10, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small.rgb).mean() < 4


def test_window_shifts_and_scales_pixels():
    pose = np.eye(4)
    window = CropWindow(top=0.2, left=0.3, height=0.5, width=0.5)
    points = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 4], (10, 3))
    full = project(points, windowed_camera("c", pose, 45.0, FULL_VIEW, 200, 200))
    crop = project(points, windowed_camera("c", pose, 45.0, window, 50, 50))
    np.testing.assert_allclose(crop, (full - [60, 40]) / 2)
    edge = np.array([[0.0, np.tan(np.radians(22.5)), 1.0]])
    np.testing.assert_allclose(
        project(edge, windowed_camera("c", pose, 45.0, FULL_VIEW, 200, 300)), [[150, 200]]
    )


def test_rendering_after_a_fork_is_refused(monkeypatch: pytest.MonkeyPatch):
    views("door-open")
    monkeypatch.setattr(mujoco_renderer._shared[0], "_pid", -1)
    with pytest.raises(KinesightError, match="spawn"):
        views("door-open")


@pytest.mark.parametrize("platform", ["egl", "osmesa"])
def test_a_process_ends_cleanly(platform: str):
    code = (
        "from kinesight.envs import catalogue as c\n"
        "from kinesight.types.observation import ViewRequest\n"
        "environments = [c.make('metaworld', t, 0) for t in ('door-open', 'reach')]\n"
        "for e in environments:\n"
        "    e.reset(); assert e.observe(ViewRequest(cameras=('corner',))).views['corner'].rgb.any()\n"
    )
    environment = {**os.environ, "MUJOCO_GL": platform, "PYOPENGL_PLATFORM": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(opengl, "PLATFORMS", {"egl": ("libnothing.so.1",), "osmesa": (), "glfw": ()})
    with pytest.raises(MissingDependency, match="apt-get install libegl1 libgl1-mesa-dri libosmesa6"):
        opengl.make_context()
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(MissingDependency, match="MUJOCO_GL"):
        catalogue.make("metaworld", "door-open", 0)


def test_mujoco_gl_is_respected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert opengl.platform() == "osmesa"
    monkeypatch.setenv("MUJOCO_GL", "vulkan")
    with pytest.raises(UsageError, match="egl, osmesa, glfw"):
        opengl.platform()
