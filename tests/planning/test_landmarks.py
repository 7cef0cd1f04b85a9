import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesight.geometry.colours import COLOURS
from kinesight.planning.landmarks import Fit, Landmark, Look, Sight, box_middle, locate, look_points
from kinesight.types.errors import UnknownName
from kinesight.types.segments import Segments

SIZE = (0.10, 0.06, 0.08)
FIT = Fit(SIZE, (0.01, 0.02, -0.03))
NO_FIT = Fit((9.0, 9.0, 9.0), (9.0, 9.0, 9.0))
EYES = [np.array(eye) for eye in ((-1.0, -0.5, 0.8), (1.2, -0.4, 1.0), (0.9, 1.5, 0.7))]


def faces(middle: np.ndarray, size, eye: np.ndarray, count: int = 15) -> np.ndarray:
    """Points [n 3] on the three faces of a box that an eye above it sees."""
    middle, half = np.asarray(middle, float), np.array(size) / 2
    u, v = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-1, 1, count)] * 2))
    seen = []
    for axis in range(3):
        face = np.insert(np.stack([u, v], axis=1), axis, np.sign(eye[axis] - middle[axis]), axis=1)
        seen.append(middle + face * half)
    return np.concatenate(seen)


def sight(eye=EYES[0], names=None, **things) -> Sight:
    """A picture with one row of pixels for each thing: colour -> points [n 3]."""
    width = max(len(points) for points in things.values())
    grid = np.full((len(things), width, 3), np.nan)
    ids = np.zeros((len(things), width), int)
    colours = np.zeros((len(things), width), int)
    for row, (key, points) in enumerate(things.items()):
        grid[row, : len(points)] = points
        ids[row, : len(points)] = row + 1
        colours[row] = COLOURS.index(key.split("_")[0])
    return Sight(Segments(ids, names or {}), grid, colours, np.zeros(ids.shape, bool), eye)


def landmark(pivot_m=None, sides=("near", "near", "near"), **look) -> Landmark:
    settings = {"colours": ("red",), "size_m": (0.05, 0.2)} | look
    return Landmark(("cube/side",), Look(**settings), NO_FIT, FIT, sides, pivot_m)


@pytest.mark.parametrize("eye", EYES, ids=("left", "right", "behind"))
def test_the_point_is_the_same_from_every_side(eye):
    middle = np.array([0.1, 0.6, 0.15])
    point = locate(landmark(), sight(eye, red=faces(middle, SIZE, eye)))
    assert point == pytest.approx(middle + FIT.offset_m, abs=0.004)


@pytest.mark.parametrize("eye", EYES, ids=("left", "right", "behind"))
def test_a_part_cut_off_on_its_far_side_is_completed(eye):
    middle = np.array([0.1, 0.6, 0.15])
    points = faces(middle, SIZE, eye)
    near_half = points[(points[:, 0] - middle[0]) * np.sign(eye[0] - middle[0]) > 0]
    point = locate(landmark(size_m=(0.02, 0.2)), sight(eye, red=near_half))
    assert point == pytest.approx(middle + FIT.offset_m, abs=0.004)


def test_a_fixed_side_ignores_what_hangs_on_the_other():
    middle, eye = np.array([0.0, 0.6, 0.15]), EYES[0]
    door = faces(middle - [0, 0.1, 0], SIZE, eye)
    both = sight(eye, red=np.concatenate([faces(middle, SIZE, eye), door]))
    wanted = middle + FIT.offset_m
    fixed = locate(landmark(sides=("near", "high", "near"), size_m=(0.05, 0.3)), both)
    assert fixed == pytest.approx(wanted, abs=0.006)
    assert locate(landmark(size_m=(0.05, 0.3)), both)[1] < wanted[1] - 0.05


@settings(max_examples=20, deadline=None)
@given(st.floats(-np.pi, np.pi))
def test_a_turning_part_takes_its_offset_with_it(angle):
    pivot, goal = np.array([0.05, 0.7, 0.1]), np.array([-0.2, 0.5, 0.1])
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    eye_part = np.array([1.0, -2.0, 3.0])  # the eye turns along, so that it sees the same faces
    arm = faces(np.array([0.2, 0.0, 0.1]), SIZE, eye_part)
    arm[:, 1] -= arm[:, 1].mean()  # the middle of what is seen lies on the axis x
    expected = np.array([0.2, arm[:, 1].min() + SIZE[1] / 2, 0.1]) + FIT.offset_m
    turned = landmark(pivot_m=tuple(pivot - goal))
    seen = sight(pivot + turn @ eye_part, red=pivot * [1, 1, 0] + arm @ turn.T)
    point = locate(turned, seen, goal)
    assert point == pytest.approx(pivot * [1, 1, 0] + turn @ expected, abs=0.004)
    assert locate(turned, seen) is None, "no pivot without a goal"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.floats(0.0, 0.6))
def test_holes_and_a_few_stray_depths_move_it_little(seed, share):
    middle, random = np.array([0.1, 0.6, 0.15]), np.random.default_rng(seed)
    points = faces(middle, SIZE, EYES[1])
    points[random.random(len(points)) < share] = np.nan
    points[random.integers(0, len(points), 3)] += random.normal(0, 0.5, 3)
    point = locate(landmark(size_m=(0.05, 0.3)), sight(EYES[1], red=points))
    assert point == pytest.approx(middle + FIT.offset_m, abs=0.012)


def test_names_win_over_looks_and_bring_their_own_fit():
    middle = np.array([0.1, 0.6, 0.15])
    named = Landmark(("cube/side",), Look(("blue",), (0.0, 0.01)), FIT, NO_FIT)
    seen = sight(
        names={1: "cube/side", 2: "ball/skin"}, red=faces(middle, SIZE, EYES[0]), blue=np.ones((9, 3))
    )
    assert locate(named, seen) == pytest.approx(middle + FIT.offset_m, abs=0.004)


class TestLooks:
    look = Look(("red",), (0.05, 0.2), (0.05, 0.25))

    def test_colour_size_and_height_decide(self):
        cube = faces([0, 0.6, 0.15], SIZE, EYES[0])
        others = {
            "blue": cube + np.array([0.3, 0, 0]),
            "red_high": cube + np.array([0, 0, 0.3]),
            "red_small": 0.2 * (cube - cube.mean(axis=0)) + [0.3, 0.3, 0.1],
            "red_large": 5.0 * (cube - cube.mean(axis=0)) + [0.5, 0.5, 0.2],
        }
        found = look_points(self.look, sight(**others, red=cube))
        assert len(found) == len(cube)
        assert found.mean(axis=0) == pytest.approx(cube.mean(axis=0))
        assert len(look_points(self.look, sight(**others))) == 0

    def test_the_fuller_of_two_is_taken_even_with_fewer_pixels(self):
        cube = faces([0, 0.6, 0.15], SIZE, EYES[0], count=6)
        rim = faces([0.5, 0.6, 0.1], (0.15, 0.002, 0.1), EYES[0], count=30)
        assert len(look_points(self.look, sight(red_rim=rim, red=cube))) == len(cube)

    def test_pieces_on_both_sides_of_an_arm_are_one_part(self):
        cube = faces([0, 0.6, 0.15], SIZE, EYES[0])
        left, right = cube[cube[:, 0] < -0.02], cube[cube[:, 0] > 0.02]
        far = cube + np.array([0.4, 0, 0])
        found = look_points(
            self.look, sight(red_left=left, red_right=right, red_far=0.5 * (far - far.mean(0)) + far.mean(0))
        )
        assert len(found) == len(left) + len(right)

    def test_barred_pixels_belong_to_no_look(self):
        seen = sight(red=faces([0, 0.6, 0.15], SIZE, EYES[0]))
        barred = Sight(seen.segments, seen.points, seen.colours, np.ones_like(seen.barred), seen.eye)
        assert len(look_points(self.look, barred)) == 0

    def test_colours_are_known_ones(self):
        with pytest.raises(UnknownName, match=r"colour 'grei'.*'grey'"):
            Look(("grei",), (0.0, 1.0))


def test_too_few_pixels_are_hidden():
    cube = faces([0, 0.6, 0.15], SIZE, EYES[0])
    assert locate(landmark(), sight(red=cube[:3])) is None
    assert locate(landmark(), sight(blue=cube)) is None


@given(st.tuples(*[st.floats(-1, 1)] * 3), st.tuples(*[st.booleans()] * 3))
def test_the_middle_of_a_whole_box_does_not_depend_on_the_side(corner, signs):
    low = np.array(corner)
    box = (low, low + SIZE)
    eye = np.where(signs, 5.0, -5.0)
    for sides in (("near",) * 3, ("low",) * 3, ("high",) * 3):
        assert box_middle(box, SIZE, sides, eye) == pytest.approx(low + np.array(SIZE) / 2)
