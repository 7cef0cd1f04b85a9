"""Flow of pictures whose motion is known."""

import numpy as np
import pytest

from kinesight.geometry.optical_flow import best_shift, dense_flow, difference, displacements, sample, shifted

CENTRES = np.stack(np.meshgrid(np.arange(30, 60), np.arange(25, 50)), axis=-1).reshape(-1, 2) + 0.5


def picture(seed: int = 0, size: tuple[int, int] = (80, 100)) -> np.ndarray:
    """Smooth spots of many colours."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    random = np.random.default_rng(seed)
    canvas = np.full((*size, 3), 90.0)
    for _ in range(150):
        x, y, width = random.uniform(0, size[1]), random.uniform(0, size[0]), random.uniform(2, 5)
        spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
        canvas += spot[..., None] * random.uniform(-120, 120, 3)
    return canvas.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -1.0), (3.4, 1.6)])
def test_a_shifted_picture_has_that_flow(shift):
    before = picture()
    flow = dense_flow(before, shifted(before, np.array(shift)), zoom=3)
    assert flow.shape == (80, 100, 2)
    np.testing.assert_allclose(np.median(sample(flow, CENTRES), axis=0), shift, atol=0.15)


def test_the_zoom_does_not_change_the_unit():
    before = picture()
    after = shifted(before, np.array([2.0, 1.0]))
    flows = [np.median(sample(dense_flow(before, after, zoom), CENTRES), axis=0) for zoom in (1, 2, 4)]
    np.testing.assert_allclose(flows, [[2, 1]] * 3, atol=0.2)


def test_an_object_that_leaps_is_found_by_its_colours():
    """The flow alone loses a small object that moves by three times its size; started anew, it does not."""
    ground = picture(1)
    object_ = picture(2)[:10, :10] // 4 + np.array([170, 20, 20], np.uint8)
    before, after = ground.copy(), ground.copy()
    before[30:40, 20:30] = object_
    after[42:52, 50:60] = object_
    pixels = np.stack(np.meshgrid(np.arange(20, 30), np.arange(30, 40)), axis=-1).reshape(-1, 2) + 0.5
    colours = sample(before, pixels)
    shift = best_shift(after, pixels, colours, 40, hidden=40.0, stillness=10.0)
    np.testing.assert_array_equal(shift, [30, 12])
    lost = np.median(sample(dense_flow(before, after, 3), pixels), axis=0)
    found = np.median(displacements(before, after, pixels, shift, zoom=3), axis=0)
    assert np.linalg.norm(lost - shift) > 10
    assert np.linalg.norm(found - shift) < 2, "the ground beside it still drags the flow a little"
    assert (difference(after, pixels + shift, colours) < 1).mean() > 0.9


def test_an_object_of_one_colour_stays_where_it_is():
    plain = np.full((40, 50, 3), 120, np.uint8)
    pixels = np.array([[20.5, 20.5], [22.5, 21.5], [25.5, 18.5]])
    colours = sample(plain, pixels)
    np.testing.assert_array_equal(best_shift(plain, pixels, colours, 12, 40.0, 10.0), [0, 0])
    np.testing.assert_array_equal(best_shift(plain, pixels, colours, 0, 40.0, 10.0), [0, 0])


def test_values_between_and_beyond_pixels():
    ramp = np.arange(6, dtype=np.float32)[None, :, None] * np.ones((4, 1, 2), np.float32)
    found = sample(ramp, np.array([[0.5, 0.5], [1.0, 2.0], [3.25, 3.5], [-5.0, 9.0], [40.0, 1.0]]))
    np.testing.assert_allclose(found, [[0, 0], [0.5, 0.5], [2.75, 2.75], [0, 0], [5, 5]], atol=0.02)
    levels = np.full((4, 6, 3), 7, np.uint8)
    places = np.array([[3.0, 2.0], [7.0, 2.0], [3.0, -1.0]])
    np.testing.assert_allclose(difference(levels, places, np.full((3, 3), 9.0), outside=50.0), [2, 50, 50])
