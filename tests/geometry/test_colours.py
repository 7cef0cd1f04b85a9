import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesight.geometry.colours import COLOURS, colour_ids

SAMPLES = {
    "dark": (30, 32, 36),
    "grey": (120, 118, 119),
    "white": (235, 235, 235),
    "red": (200, 20, 20),
    "brown": (140, 98, 66),
    "yellow": (180, 150, 0),
    "green": (0, 140, 0),
    "cyan": (0, 235, 235),
    "blue": (0, 0, 211),
}


def name(rgb) -> str:
    return COLOURS[int(colour_ids(np.array(rgb, np.uint8)[None, None])[0, 0])]


def test_every_colour_has_a_sample():
    assert tuple(SAMPLES) == COLOURS


@pytest.mark.parametrize("colour", COLOURS)
def test_samples_get_their_names(colour):
    assert name(SAMPLES[colour]) == colour


@given(
    st.sampled_from(["red", "brown", "yellow", "green", "cyan", "blue"]),
    st.floats(0.4, 1.0),
    st.integers(0, 9),
)
def test_shade_leaves_a_hue_its_name(colour, light, noise):
    shaded = np.array(SAMPLES[colour]) * light + noise * light
    assert name(np.clip(shaded, 0, 255)) == colour


def test_light_makes_grey_of_dark_and_white_of_grey():
    brightness = np.arange(256, dtype=np.uint8)
    ids = colour_ids(np.repeat(brightness[None, :, None], 3, axis=2))[0]
    assert [COLOURS[i] for i in dict.fromkeys(ids.tolist())] == ["dark", "grey", "white"]
    assert (np.diff(ids) >= 0).all()


def test_red_lies_on_both_ends_of_the_circle():
    assert name((200, 0, 20)) == name((200, 20, 0)) == "red"
