"""Lights, table tops and walls. A look changes pictures only, never what happens.

Textures are drawn here from formulas: nothing to download, and every model holds the same ones in the same
order, so that all of them share one upload to OpenGL.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from kinesight.envs.tabletop_kinds import Colour

TEXTURE_PIXELS = 256
DIGIT_PIXELS = 64
Texture = UInt8[np.ndarray, "y x 3"]


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that can be seen and not touched."""

    table: str = "oak"
    """Name in `TABLES`."""
    wall: Colour = (0.62, 0.66, 0.68)
    floor: Colour = (0.36, 0.37, 0.40)
    light: Colour = (0.55, 0.55, 0.53)
    """Of the lamp above; the rest of the light is even."""
    ambient: float = 0.40
    lamp_from: tuple[float, float] = (0.6, 0.9)
    """The lamp hangs in this direction (x, y), twice as high."""


LOOKS: dict[str, Look] = {
    "studio": Look(),
    "birch": Look("birch", (0.78, 0.76, 0.71), (0.45, 0.40, 0.35), (0.58, 0.55, 0.48), 0.38, (-0.8, 0.7)),
    "office": Look(
        "grey laminate", (0.52, 0.57, 0.66), (0.30, 0.33, 0.36), (0.50, 0.52, 0.58), 0.42, (0.2, 0.4)
    ),
    "walnut": Look("walnut", (0.70, 0.66, 0.60), (0.28, 0.24, 0.22), (0.60, 0.57, 0.52), 0.42, (-0.3, 1.0)),
    "slate": Look("slate", (0.25, 0.28, 0.33), (0.14, 0.14, 0.16), (0.75, 0.68, 0.55), 0.30, (0.9, 0.2)),
    "marble": Look("marble", (0.46, 0.55, 0.44), (0.55, 0.53, 0.50), (0.42, 0.46, 0.60), 0.45, (-1.0, 0.1)),
    "gingham": Look("gingham", (0.86, 0.80, 0.62), (0.50, 0.30, 0.22), (0.62, 0.55, 0.42), 0.34, (0.0, 1.2)),
    "dusk": Look("birch", (0.40, 0.33, 0.42), (0.20, 0.17, 0.22), (0.75, 0.48, 0.28), 0.22, (1.2, 0.0)),
}
SEEN_LOOKS = ("studio", "birch", "office", "walnut")
UNSEEN_LOOKS = ("slate", "marble", "gingham", "dusk")


def _wood(dark: Colour, light: Colour, rings: float, seed: int) -> Texture:
    """Boards along x whose grain bends slowly."""
    y, x = np.mgrid[0 : 1 : TEXTURE_PIXELS * 1j, 0 : 1 : TEXTURE_PIXELS * 1j]
    board = np.floor(y * 4)
    phase = np.random.default_rng(seed).uniform(0, 20, 5)[board.astype(int)]
    bend = 0.35 * np.sin(2.2 * x + phase) + 0.12 * np.sin(6.1 * x + 2 * phase)
    grain = 0.5 + 0.5 * np.sin(rings * (y + 0.12 * bend) + 3 * np.sin(phase + 5 * x * 0.3))
    fine = np.random.default_rng(seed + 1).uniform(-1, 1, (TEXTURE_PIXELS, 1))
    share = np.clip(0.55 * grain + 0.25 * np.sin(phase) + 0.25 + 0.10 * fine, 0, 1)
    share = np.where(np.abs(y * 4 - np.round(y * 4)) < 0.02, share * 0.5, share)  # joints of the boards
    return _blend(dark, light, share)


def _cloud(dark: Colour, light: Colour, veins: bool, seed: int) -> Texture:
    """Smooth noise in several octaves; with veins, its zero crossings."""
    generator = np.random.default_rng(seed)
    total = np.zeros((TEXTURE_PIXELS, TEXTURE_PIXELS))
    for octave in range(1, 6):
        cells = generator.normal(size=(2**octave, 2**octave)).astype(np.float32)
        total += cv2.resize(cells, (TEXTURE_PIXELS, TEXTURE_PIXELS), interpolation=cv2.INTER_CUBIC) / octave
    share = 1 - np.exp(-np.abs(total) / 0.25) if veins else 0.5 + 0.25 * total
    return _blend(dark, light, np.clip(share, 0, 1))


def _gingham(one: Colour, other: Colour, squares: int) -> Texture:
    stripe = (np.arange(TEXTURE_PIXELS) * squares * 2 // TEXTURE_PIXELS) % 2
    return _blend(one, other, (stripe[:, None] + stripe[None, :]) / 2)


def _blend(dark: Colour, light: Colour, share: Float[np.ndarray, "y x"]) -> Texture:
    colours = np.array(dark) + share[..., None] * (np.array(light) - np.array(dark))
    return np.round(255 * np.clip(colours, 0, 1)).astype(np.uint8)


TABLES: dict[str, Callable[[], Texture]] = {
    "oak": lambda: _wood((0.66, 0.52, 0.36), (0.80, 0.67, 0.50), 60.0, 1),
    "birch": lambda: _wood((0.80, 0.73, 0.61), (0.90, 0.84, 0.73), 45.0, 2),
    "walnut": lambda: _wood((0.33, 0.22, 0.15), (0.48, 0.34, 0.24), 70.0, 3),
    "grey laminate": lambda: _cloud((0.68, 0.69, 0.70), (0.76, 0.77, 0.78), False, 4),
    "slate": lambda: _cloud((0.20, 0.22, 0.25), (0.32, 0.34, 0.37), False, 5),
    "marble": lambda: _cloud((0.60, 0.60, 0.62), (0.93, 0.92, 0.90), True, 6),
    "gingham": lambda: _gingham((0.72, 0.80, 0.92), (0.97, 0.97, 0.96), 10),
}


def digit_texture(digit: int) -> Texture:
    """Black on white, to be read from the front camera."""
    picture = np.full((DIGIT_PIXELS, DIGIT_PIXELS, 3), 245, np.uint8)
    text, font, scale, thickness = str(digit), cv2.FONT_HERSHEY_DUPLEX, 2.1, 5
    (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
    corner = (DIGIT_PIXELS - width) // 2, (DIGIT_PIXELS + height) // 2
    cv2.putText(picture, text, corner, font, scale, (15, 15, 15), thickness, cv2.LINE_AA)
    return picture
