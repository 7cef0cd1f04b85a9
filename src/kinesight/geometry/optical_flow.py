"""Where the pixels of an object go from one picture to the next.

Dense flow is OpenCV's DIS (Kroeger et al. 2016). It loses an object that moves further than its own size, as
the few frames of an imagined video often ask for, so the flow of an object starts from the shift of the
picture at which its own colours are found again.
"""

import cv2
import numpy as np
from jaxtyping import Float, Float32, Num

from kinesight.types.arrays import Image, Pixels

Flow = Float32[np.ndarray, "y x 2"]
"""Pixels to the right and down by which what is seen at a pixel moves to the next picture."""
Colours = Float[np.ndarray, "n 3"]
"""RGB of single pixels, 0-255."""
_VOTERS = 120  # pixels that look for their colour: a hundred say as much as a thousand


def dense_flow(before: Image, after: Image, zoom: int = 1) -> Flow:
    """Optical flow [y x 2] between two pictures [y x 3], in pixels; computed on pictures `zoom` as large."""
    height, width = before.shape[:2]
    size = (zoom * width, zoom * height)
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
    first, second = (cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC) for picture in grey)
    start = np.zeros((*first.shape, 2), np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, start)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / np.float32(zoom)


def displacements(
    before: Image, after: Image, pixels: Pixels, shift: Float[np.ndarray, "2"], zoom: int = 1
) -> Pixels:
    """Flow [n 2] of pixels [n 2] of `before`, searched around a common `shift` (x, y) in pixels."""
    return sample(dense_flow(before, shifted(after, -shift), zoom), pixels) + shift


def sample(picture: Num[np.ndarray, "y x c"], pixels: Pixels) -> Float[np.ndarray, "n c"]:
    """Values of a picture or of a flow at pixels [n 2], bilinear; beyond the edge those of the edge."""
    places = (np.asarray(pixels) - 0.5).astype(np.float32)
    across, down = np.ascontiguousarray(places[None, :, 0]), np.ascontiguousarray(places[None, :, 1])
    values = cv2.remap(
        picture.astype(np.float32), across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return values[0].astype(np.float64)


def shifted(picture: Image, shift: Float[np.ndarray, "2"]) -> Image:
    """The picture moved by (x, y) pixels; its edges are repeated."""
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def difference(
    picture: Image, pixels: Pixels, colours: Colours, outside: float = 255.0
) -> Float[np.ndarray, "n"]:
    """Grey levels (0-255) between a picture at pixels [n 2] and colours [n 3]; `outside` beyond its edge."""
    height, width = picture.shape[:2]
    error = np.abs(sample(picture, pixels) - colours).mean(axis=1)
    within = np.all((pixels >= 0) & (pixels <= (width, height)), axis=1)
    return np.where(within, error, outside)


def best_shift(
    picture: Image, pixels: Pixels, colours: Colours, reach_px: int, hidden: float, stillness: float
) -> Float[np.ndarray, "2"]:
    """The whole shift (x, y) of pixels [n 2], up to `reach_px`, at which a picture has their colours [n 3].

    Differences count up to `hidden` grey levels only: part of the object may be covered. The cost of a shift
    grows with its length, to `stillness` grey levels at `reach_px`, so that an object of one colour stays
    where it is.
    """
    height, width = picture.shape[:2]
    chosen = np.linspace(0, len(pixels) - 1, min(len(pixels), _VOTERS)).round().astype(int)
    columns, rows = np.floor(np.clip(pixels[chosen], 0, (width - 1, height - 1))).astype(int).T
    around = [(reach_px, reach_px)] * 2
    padded = np.pad(picture.astype(np.float32), [*around, (0, 0)])
    beyond = np.pad(np.zeros((height, width), bool), around, constant_values=True)
    side = 2 * reach_px + 1
    cost = np.zeros((side, side))
    for row, column, colour in zip(rows, columns, colours[chosen].astype(np.float32), strict=True):
        window = slice(row, row + side), slice(column, column + side)
        error = np.abs(padded[window] - colour).mean(axis=2)
        cost += np.where(beyond[window], hidden, np.minimum(error, hidden))
    down, across = np.mgrid[-reach_px : reach_px + 1, -reach_px : reach_px + 1]
    cost = cost / len(chosen) + stillness * np.hypot(down, across) / max(reach_px, 1)
    row, column = np.unravel_index(cost.argmin(), cost.shape)
    return np.array([column - reach_px, row - reach_px], np.float64)
