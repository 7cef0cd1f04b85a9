import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinesight.geometry.camera import unproject
from kinesight.geometry.plan_frame import offset_to_plan, offset_to_row, offset_to_world, offsets_to_plan
from kinesight.types.camera import Camera
from kinesight.types.plan import PlanRow

laws = settings(max_examples=25, deadline=None)
small = st.floats(-1, 1)
vectors = st.tuples(small, small, small).map(np.array)


def looking_along(rotation: np.ndarray, height: int = 240, width: int = 320) -> Camera:
    focal = 120 / np.tan(np.deg2rad(22.5))
    pose = np.eye(4)
    pose[:3, :3] = rotation
    return Camera("corner3", np.array([[focal, 0, 160], [0, focal, 120], [0, 0, 1]]), pose, height, width)


@pytest.mark.parametrize(
    ("offset_camera", "direction"),
    [
        ((0.2, 0, 0), (-1, 0, 0)),  # to the right
        ((-0.2, 0, 0), (1, 0, 0)),  # to the left
        ((0, -0.2, 0), (0, 1, 0)),  # up
        ((0, 0.2, 0), (0, -1, 0)),  # down
        ((0, 0, 0.2), (0, 0, -1)),  # forward
        ((0, 0, -0.2), (0, 0, 1)),  # back
    ],
)
def test_every_axis_has_the_papers_sign(offset_camera, direction):
    rotation = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    offset = offset_to_plan(rotation @ np.array(offset_camera), looking_along(rotation))
    row = offset_to_row(offset, "move")
    assert (row.verb, row.direction) == ("move", direction)
    assert row.distance_m == pytest.approx(0.2)


@laws
@given(vectors, vectors)
def test_plan_axes_keep_length_and_invert(rotation_vector, offset):
    camera = looking_along(Rotation.from_rotvec(3 * rotation_vector).as_matrix())
    there = offset_to_plan(offset, camera)
    np.testing.assert_allclose(np.linalg.norm(there), np.linalg.norm(offset), atol=1e-12)
    np.testing.assert_allclose(offset_to_world(there, camera), offset, atol=1e-12)
    np.testing.assert_allclose(
        offsets_to_plan(np.stack([offset, -offset]), camera), [there, -there], atol=1e-12
    )


@laws
@given(vectors, st.floats(0, 0.1))
def test_dead_zone(offset, dead_zone):
    row = offset_to_row(offset, "push", dead_zone)
    for sign, value in zip(row.direction, offset, strict=True):
        assert sign == (0 if abs(value) < dead_zone else np.sign(value))
    assert row.distance_m == pytest.approx(np.linalg.norm(offset), abs=1e-15), "distances stay exact"


def test_no_offset_is_no_direction():
    assert offset_to_row(np.zeros(3), "grasp") == PlanRow("grasp", (0, 0, 0), 0.0)


class TestPublishedSample:
    """Numbers printed in the official sample, whose plan frame is that of its mirrored picture."""

    camera = looking_along(np.eye(3))
    fingers = np.array([[0.05803378, 0.09672297, -1.40105939], [0.09641913, 0.12052391, -1.39665818]])
    target = np.array([0.09071102, 0.08567152, -1.4599719])

    def test_back_projection(self):
        pixels = np.array([[148.0, 100], [140, 95], [142, 103]])  # the sample counts from pixel corners
        depth = -np.array([self.fingers[0, 2], self.fingers[1, 2], self.target[2]])
        points = offsets_to_plan(unproject(pixels, depth, self.camera), self.camera)
        np.testing.assert_allclose(points, [*self.fingers, self.target], atol=1e-7)

    def test_distances(self):
        rows = [offset_to_row(self.target - finger, "move") for finger in self.fingers]
        assert [round(row.distance_m, 4) for row in rows] == [0.0683, 0.0725]

    def test_first_plan_line(self):
        for start in (self.fingers.mean(axis=0), self.fingers[0]):
            row = offset_to_row(self.target - start, "move")
            assert (row.direction, round(row.distance_m, 2)) == ((1, -1, -1), 0.07)
