"""Frames of a video side by side on one picture, numbered."""

import cv2
import numpy as np
from jaxtyping import UInt8

from kinesight.types.arrays import Video

MARGIN = 4
CAPTION = 22
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def contact_sheet(frames: Video, columns: int, tile_height: int) -> UInt8[np.ndarray, "height width 3"]:
    """Frames [t y x 3] in reading order on white, all of one height, each under its number from 0."""
    if len(frames) < 1 or columns < 1 or tile_height < 1:
        raise ValueError(
            "a contact sheet needs a frame, a column and a height, got "
            f"{len(frames)}, {columns} and {tile_height}"
        )
    height, width = frames.shape[1:3]
    tile_width = max(1, round(width * tile_height / height))
    columns = min(columns, len(frames))
    rows = -(-len(frames) // columns)
    step_y, step_x = tile_height + CAPTION + MARGIN, tile_width + MARGIN
    sheet = np.full((rows * step_y + MARGIN, columns * step_x + MARGIN, 3), WHITE, np.uint8)
    for index, frame in enumerate(frames):
        top = MARGIN + index // columns * step_y
        left = MARGIN + index % columns * step_x
        place = (left + 2, top + CAPTION - 6)
        cv2.putText(sheet, str(index), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, BLACK, 1, cv2.LINE_AA)
        tile = cv2.resize(frame, (tile_width, tile_height), interpolation=cv2.INTER_CUBIC)
        sheet[top + CAPTION : top + CAPTION + tile_height, left : left + tile_width] = tile
    return sheet


def chosen_frames(
    first: UInt8[np.ndarray, "height width 3"], frames: Video, most: int
) -> UInt8[np.ndarray, "shown y x 3"]:
    """The first picture, in the frames' size, and at most `most` of the frames [t y x 3].

    They are evenly chosen, the last always among them.
    """
    count = min(most, len(frames))
    chosen = np.rint(np.linspace(len(frames) - 1, 0, count)).astype(int)[::-1]
    height, width = frames.shape[1:3]
    start = first if first.shape[:2] == (height, width) else cv2.resize(first, (width, height))
    return np.concatenate([np.asarray(start, np.uint8)[None], frames[chosen]])
