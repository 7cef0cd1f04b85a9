"""Looks of Meta-World: pictures alone change, as the case says, and cameras say where they stand."""

from dataclasses import replace

import numpy as np
import pytest

from kinesight.envs import catalogue
from kinesight.envs.metaworld import MetaWorld
from kinesight.envs.metaworld_looks import LOOKS, PIVOT_M, SPLITS, Stand, draw, placed
from kinesight.geometry.camera import project, unproject
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName
from kinesight.types.observation import Observation, ViewRequest

CASE = Case("metaworld", "drawer-open", 3, "corner")
REQUEST = ViewRequest(("corner",), 64, 64, depth=True, segmentation=True, scene=True)


@pytest.fixture(scope="module")
def own() -> MetaWorld:
    environment = MetaWorld(CASE)
    environment.reset()
    environment.step(np.array([0.5, 0.5, -1.0, 1.0]))
    return environment


def rgb(observation: Observation) -> np.ndarray:
    picture = observation.views["corner"].rgb
    assert picture is not None
    return picture.astype(int)


def test_pictures_change_and_nothing_else_does(own: MetaWorld):
    before = own.observe(REQUEST)
    pictures = []
    for name in LOOKS:
        other = MetaWorld(replace(CASE, split=name))
        other.reset()
        other.step(np.array([0.5, 0.5, -1.0, 1.0]))
        seen = other.observe(REQUEST)
        assert seen.scene is not None
        assert before.scene is not None
        np.testing.assert_array_equal(seen.scene.state, before.scene.state)
        np.testing.assert_array_equal(seen.proprio, before.proprio)
        np.testing.assert_array_equal(other.simulation.data.qpos, own.simulation.data.qpos)
        np.testing.assert_array_equal(rgb(seen), rgb(own.observe(REQUEST, split=name)))
        pictures.append(rgb(seen))
    for i, one in enumerate([*pictures, rgb(before)]):
        for two in pictures[:i]:
            assert np.abs(one - two).mean() > 8
    after = own.observe(REQUEST)  # drawing in other looks leaves no trace
    np.testing.assert_array_equal(rgb(after), rgb(before))
    np.testing.assert_array_equal(own.observe(REQUEST, split="train").views["corner"].rgb, rgb(before))


@pytest.mark.parametrize("split", ["B", "D"])
def test_the_moved_camera_says_where_it_stands(own: MetaWorld, split: str):
    view = own.observe(REQUEST, split=split).views["corner"]
    assert view.depth_m is not None
    assert view.segmentation is not None
    names = {index for index, name in view.names.items() if name.startswith("gripper")}
    rows, columns = np.nonzero(np.isin(view.segmentation, list(names)))
    pixels = np.stack([columns, rows], axis=1) + 0.5
    surface = unproject(pixels, view.depth_m[rows, columns], view.camera)
    scene = own.observe(REQUEST).scene
    assert scene is not None
    assert np.linalg.norm(surface - scene.points["gripper"], axis=1).min() < 0.07


def test_the_look_and_the_place_are_drawn_from_the_seed_alone():
    cases = [replace(CASE, seed=seed, split="ABC") for seed in range(60)]
    drawn = [draw(case) for case in cases]
    assert drawn == [draw(replace(case, task="door-open", variation=3, start="shifted")) for case in cases]
    names = [name for name, _ in (found for found in drawn if found is not None)]
    assert set(names) == {"A", "B", "C"}
    assert min(map(names.count, "ABC")) > 8
    for name, stand in (found for found in drawn if found is not None):
        look = LOOKS[name]
        assert abs(stand.yaw_degrees - look.stand.yaw_degrees) <= look.jitter.yaw_degrees
        assert abs(stand.pitch_degrees - look.stand.pitch_degrees) <= look.jitter.pitch_degrees
    assert len({stand.yaw_degrees for _, stand in (found for found in drawn if found is not None)}) == 60
    assert draw(replace(CASE, split="D")) != draw(replace(CASE, split="D", seed=4))
    assert draw(CASE) is None
    assert draw(replace(CASE, split="train")) is None


def test_the_held_out_look_stands_where_no_other_does():
    def reach(name: str) -> tuple[float, float]:
        look = LOOKS[name]
        middle, half = look.stand.pitch_degrees, look.jitter.pitch_degrees
        return middle - half, middle + half

    assert reach("D")[1] < min(reach(name)[0] for name in SPLITS["ABC"])
    assert "D" not in SPLITS["ABC"]
    assert LOOKS["D"].table not in {LOOKS[name].table for name in SPLITS["ABC"]}


def test_a_swing_keeps_the_middle_in_the_middle_and_the_camera_upright(own: MetaWorld):
    camera = own.observe(REQUEST).views["corner"].camera
    pivot = np.array([PIVOT_M])
    for stand in (Stand(), Stand(7.0, -3.0, 0.0), Stand(-4.0, 2.0, 0.05)):
        moved = replace(camera, T_world_camera=placed(camera.T_world_camera, stand))
        np.testing.assert_allclose(project(pivot, moved), project(pivot, camera), atol=1e-6)
        rotation = moved.T_world_camera[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        distance = np.linalg.norm(moved.T_world_camera[:3, 3] - pivot)
        assert distance == pytest.approx(
            (1 + stand.away) * np.linalg.norm(camera.T_world_camera[:3, 3] - pivot)
        )
        right = moved.T_world_camera[:3, 0]
        assert right[2] == pytest.approx(camera.T_world_camera[2, 0], abs=1e-9)  # no roll is added
    np.testing.assert_allclose(placed(camera.T_world_camera, Stand()), camera.T_world_camera)
    higher = placed(camera.T_world_camera, Stand(pitch_degrees=5.0))
    assert higher[2, 3] > camera.T_world_camera[2, 3]


def test_a_chain_keeps_its_look():
    environment = catalogue.make_case(replace(CASE, env="metaworld-chains", task="drawer", split="ABC"))
    environment.reset()
    found = draw(environment.case)
    assert found is not None
    nominal = own_camera(environment.case)
    seen = environment.observe(REQUEST).views["corner"].camera
    np.testing.assert_allclose(seen.T_world_camera, placed(nominal, found[1]))


def own_camera(case: Case) -> np.ndarray:
    environment = MetaWorld(replace(CASE, seed=case.seed))
    environment.reset()
    return environment.observe(replace(REQUEST, depth=False)).views["corner"].camera.T_world_camera


@pytest.mark.parametrize("env", ["metaworld", "metaworld-chains"])
def test_an_unknown_split_is_answered_with_the_list(env: str):
    task = catalogue.tasks(env)[0]
    with pytest.raises(UnknownName, match="ABC"):
        catalogue.make_case(Case(env, task, 0, "corner", split="ABD"))
    assert {"ABC", "D"} <= set(catalogue.splits(env))
