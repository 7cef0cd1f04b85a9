"""The name of a pixel's colour: nine bins that keep their name in light and in shade.

Hue decides where a colour has one, brightness elsewhere. Lengths of hue intervals follow common use of the
words (Berlin and Kay 1969), not any simulator.
"""

import numpy as np
from jaxtyping import Int

from kinesight.types.arrays import Image

COLOURS = ("dark", "grey", "white", "red", "brown", "yellow", "green", "cyan", "blue")
"""Ids of `colour_ids`; brown is orange too."""

HUE_EDGES = (0.0, 14.0, 38.0, 75.0, 165.0, 195.0, 270.0, 330.0)
"""Degrees at which red, brown, yellow, green, cyan, blue, (purple counts as blue) and red again begin."""
_HUE_COLOURS = ("red", "brown", "yellow", "green", "cyan", "blue", "blue", "red")

MIN_SATURATION = 0.28
"""Chroma over brightness below which a pixel has no hue worth a name."""
MIN_CHROMA = 20
"""Chroma (0 … 255) below which a dark pixel has no hue worth a name."""
GREY_FROM, WHITE_FROM = 80, 175
"""Brightness (0 … 255) at which dark becomes grey and grey becomes white."""


def colour_ids(rgb: Image) -> Int[np.ndarray, "y x"]:
    """Index into `COLOURS` of every pixel of a picture [y x 3]."""
    channels = rgb.astype(np.int32)
    red, green, blue = channels[..., 0], channels[..., 1], channels[..., 2]
    bright, low = channels.max(axis=2), channels.min(axis=2)
    chroma = bright - low
    safe = np.maximum(chroma, 1)
    hue = np.select(
        [bright == red, bright == green],
        [(green - blue) / safe, 2 + (blue - red) / safe],
        4 + (red - green) / safe,
    )
    bins = np.searchsorted(HUE_EDGES, (60 * hue) % 360, side="right") - 1
    named = np.array([COLOURS.index(name) for name in _HUE_COLOURS])[bins]
    plain = np.digitize(bright, (GREY_FROM, WHITE_FROM))
    has_hue = (chroma >= MIN_CHROMA) & (chroma >= MIN_SATURATION * bright)
    return np.where(has_hue, named, plain)
