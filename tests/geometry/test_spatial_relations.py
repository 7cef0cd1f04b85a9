import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinesight.geometry.camera import project
from kinesight.geometry.spatial_relations import (
    SIDES,
    Solid,
    free_points,
    is_in,
    is_on,
    nearest,
    side,
    solid_of,
    viewer_axes,
)
from kinesight.types.camera import Camera

laws = settings(max_examples=25, deadline=None)
OPPOSITE = {"left": "right", "right": "left", "in front": "behind", "behind": "in front", None: None}
number = st.floats(-0.5, 0.5).map(lambda value: round(value, 4))


def looking(yaw: float, down: float, roll: float = 0.0) -> Camera:
    """A camera 2 m from the origin, turned by `yaw` about the vertical, looking down by an angle (rad)."""
    level = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # right x, down -z, forward y
    turn = (
        Rotation.from_euler("ZX", [yaw, -down]).as_matrix()
        @ level
        @ Rotation.from_euler("z", roll).as_matrix()
    )
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose[:3, 3] = -2 * turn[:, 2]
    return Camera("any", np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]), pose, 100, 100)


def cube(name: str, x: float, y: float, z: float = 0.0, half: float = 0.02) -> Solid:
    centre = np.array([x, y, z + half])
    return Solid(name, centre - half, centre + half)


@pytest.mark.parametrize("down", [-0.8, 0.1, 0.7, np.pi / 2 - 1e-9, np.pi / 2])
@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.0, 3.1])
def test_sides_are_the_viewers(yaw: float, down: float):
    camera = looking(yaw, down)
    right, far = viewer_axes(camera)
    assert abs(right @ far) < 1e-9
    middle = cube("middle", 0, 0)
    for direction, expected in ((right, "right"), (-right, "left"), (far, "behind"), (-far, "in front")):
        other = cube("other", *(0.2 * direction))
        assert side(other, middle, camera) == expected
        (x, y), (x0, y0) = project(np.stack([other.centre, middle.centre]), camera)
        if expected in ("left", "right"):
            assert (x > x0) == (expected == "right")
        elif down > 0.5:  # from above, what is behind is higher in the picture
            assert (y < y0) == (expected == "behind")


@laws
@given(number, number, number, number, st.floats(-3, 3), st.floats(0, 1.5))
def test_a_relation_turns_round_with_its_things_and_with_the_viewer(a, b, c, d, yaw: float, down: float):
    first, second = cube("first", a, b), cube("second", c, d)
    said = side(first, second, looking(yaw, down))
    assert side(second, first, looking(yaw, down)) == OPPOSITE[said]
    moved = [Solid(s.name, s.low + 3, s.high + 3) for s in (first, second)]
    assert side(moved[0], moved[1], looking(yaw, down)) == said or np.hypot(a - c, b - d) < 0.03


def test_what_is_not_clear_is_not_said():
    camera, middle = looking(0, 0.7), cube("middle", 0, 0)
    assert side(cube("near", 0.015, 0), middle, camera) is None
    assert side(cube("diagonal", 0.2, 0.2), middle, camera) is None
    assert side(cube("right", 0.2, 0.05), middle, camera) == "right"
    assert nearest(middle, [cube("a", 0.1, 0), cube("b", 0, 0.11)]) is None
    with pytest.raises(ValueError, match="rolled over"):
        viewer_axes(looking(0, 0.3, roll=np.pi / 2))
    with pytest.raises(ValueError, match="rolled over"):
        viewer_axes(looking(0, 0.3, roll=np.pi))


def test_on_in_and_nearest():
    table = Solid("table", np.array([-1.0, -1, -0.1]), np.array([1.0, 1, 0]))
    box = Solid("box", np.array([0.1, 0.1, 0.0]), np.array([0.3, 0.3, 0.1]))
    inside, above = cube("inside", 0.2, 0.2, 0.01), cube("above", 0.2, 0.2, 0.1)
    assert is_on(box, table)
    assert not is_on(table, box)
    assert is_on(above, box)
    assert not is_in(above, box)
    assert is_in(inside, box)
    assert not is_on(inside, box)
    assert not is_in(cube("at the rim", 0.3, 0.2, 0.01), box)
    assert not is_on(cube("beside", 0.6, 0.2, 0.1), box)
    assert not is_in(box, inside)
    found = nearest(inside, [table, box])
    assert found is not None
    assert found.name == "box"


def test_free_points_are_free_near_and_on_the_wanted_side():
    camera = looking(0, 0.7)
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 41), np.linspace(-0.5, 0.5, 41)), axis=-1).reshape(
        -1, 2
    )
    points = np.concatenate([grid, np.zeros((len(grid), 1))], axis=1)
    points[7] = np.nan
    reference, blocker = cube("reference", 0, 0, half=0.05), cube("blocker", 0.2, 0, half=0.05)
    seen = np.zeros(len(points), int)
    for wanted in SIDES:
        free = free_points(points, [blocker], reference, wanted, camera)
        assert free.any()
        assert not free[7]
        for x, y in grid[free]:
            assert side(cube("there", x, y, half=0.001), reference, camera) == wanted
            assert np.hypot(*np.maximum(np.abs([x, y]) - 0.05, 0)) <= 0.3
            assert np.hypot(*np.maximum(np.abs([x - 0.2, y]) - 0.05, 0)) >= 0.02
        seen += free
    assert seen.max() == 1
    unblocked = free_points(points, [], reference, "right", camera)
    assert unblocked.sum() > free_points(points, [blocker], reference, "right", camera).sum()


def test_a_solid_of_seen_points_ignores_strays():
    generator = np.random.default_rng(0)
    points = generator.uniform([0, 0, 0], [0.1, 0.2, 0.3], (5000, 3))
    points[:20] = 50.0
    points[20:30] = np.nan
    solid = solid_of("cup", points)
    np.testing.assert_allclose(solid.low, 0, atol=0.01)
    np.testing.assert_allclose(solid.high, [0.1, 0.2, 0.3], atol=0.01)
    with pytest.raises(ValueError, match="no point with finite"):
        solid_of("cup", np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match="from low to high"):
        Solid("cup", np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match="nothing to choose from"):
        nearest(solid, [])
