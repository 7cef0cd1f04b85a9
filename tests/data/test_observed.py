import numpy as np
import pytest

from kinesight.data.observed import millimetres, observation_arrays
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError
from kinesight.types.observation import Observation, View


def test_depth_keeps_a_millimetre_and_marks_what_is_invalid():
    depth_m = np.array([[0.0, 0.0004, 1.2345, 65.535, 65.6, np.inf, np.nan, -1.0]], np.float32)
    assert millimetres(depth_m).tolist() == [[0, 0, 1234, 65535, 0, 0, 0, 0]]
    generator = np.random.default_rng(0)
    random_m = generator.uniform(0.001, 60, (50, 50)).astype(np.float32)
    assert np.abs(millimetres(random_m) / 1000 - random_m).max() <= 0.000504


@pytest.mark.parametrize("worst", [-1, 70_000])
def test_ids_that_the_store_cannot_hold_are_refused(worst):
    camera = Camera("c", np.eye(3), np.eye(4), 1, 2)
    view = View(camera, segmentation=np.array([[0, worst]], np.int32))
    with pytest.raises(DataError, match=f"{worst}"):
        observation_arrays(Observation(0, "", {"c": view}, np.zeros(8, np.float32)))
