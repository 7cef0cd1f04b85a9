"""A shown episode as pictures: frames with boxes, masks, paths and key poses, and a sheet of all of them.

The first frame is large and carries names; the others carry numbers, which the legend explains. A frame shows
the way that was gone until then in full colour and the rest of it pale.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from kinesight.evaluation.shown_episode import Mark, ShownEpisode, ShownFrame, broken_path
from kinesight.geometry.camera import project
from kinesight.geometry.overlay import Colour, draw_marker, draw_path
from kinesight.geometry.picture_marks import ObjectMark, object_marks
from kinesight.geometry.scene_overlay import (
    AXES,
    PALETTE,
    draw_axes,
    draw_box,
    draw_mask,
    draw_tag,
    draw_text,
    rotation_xyzw,
    text_width,
)
from kinesight.types.arrays import Image

LEFT_OUT = ("robot", "gripper", "table", "room", "floor", "background", "marker")
"""Objects of a segmentation that are always there, or are not things."""
GRIPPER_PATH: Colour = (36, 118, 255)
TARGET_PATH: Colour = (255, 128, 48)
GOAL: Colour = (46, 160, 90)
INK: Colour = (28, 31, 36)
SOFT: Colour = (110, 117, 128)
PAGE: Colour = (246, 246, 243)
GAP, EDGE, HEAD, LINE = 10, 22, 74, 24
LARGE = 2
"""Rows of small frames beside the large one."""


def object_colours(episode: ShownEpisode) -> dict[str, Colour]:
    """Colour of every object that some frame shows, in the order of their ids."""
    shown: dict[str, None] = {}
    for frame in episode.frames:
        shown |= dict.fromkeys(mark.name for mark in _marks(frame, episode.names))
    order = dict.fromkeys(text.partition("/")[0] for text in episode.names.values())
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(n for n in order if n in shown)}


def drawn_frame(
    episode: ShownEpisode, frame: ShownFrame, colours: Mapping[str, Colour], named: bool = False
) -> Image:
    """A frame with masks, boxes tagged by name or by number, paths up to then, and its key poses."""
    picture = frame.rgb
    marks = _marks(frame, episode.names)
    if frame.segmentation is not None:
        for mark in marks:
            ids = [i for i, text in episode.names.items() if text.partition("/")[0] == mark.name]
            picture = draw_mask(picture, np.isin(frame.segmentation, ids), colours[mark.name])
    for mark in marks:
        picture = draw_box(picture, mark.box, colours[mark.name])
    # What is carried goes along with the gripper: its path is the wider one, below.
    if episode.target_m is not None:
        picture = _way(picture, frame, episode.target_m, TARGET_PATH, 5)
    picture = _way(picture, frame, episode.gripper_m, GRIPPER_PATH, 2)
    if episode.goal_m is not None:
        picture = draw_marker(picture, project(episode.goal_m[None], frame.camera)[0], GOAL, 3)
    for mark in episode.keyposes:
        if named or mark.step <= frame.step:
            turn = rotation_xyzw(episode.hand[mark.step, 3:7])
            picture = draw_axes(picture, frame.camera, episode.gripper_m[mark.step], turn, 0.035)
    for mark in marks:
        tag = mark.name if named else str(1 + list(colours).index(mark.name))
        picture = draw_tag(picture, mark.box, colours[mark.name], tag)
    return picture


def episode_sheet(episode: ShownEpisode) -> UInt8[np.ndarray, "height width 3"]:
    """Everything on one picture: heading, large first frame, the others in two rows, legend."""
    colours = object_colours(episode)
    first, *others = episode.frames
    side = max(first.rgb.shape[:2])
    large = _fit(drawn_frame(episode, first, colours, named=True), side)
    small = (side - GAP) // LARGE
    tiles = [_captioned(_fit(drawn_frame(episode, f, colours), small), caption(episode, f)) for f in others]
    columns = -(-len(tiles) // LARGE)
    width = 2 * EDGE + side + columns * (small + GAP)
    legend = _legend(episode, colours, width - 2 * EDGE)
    sheet = np.full((HEAD + side + GAP + legend.shape[0] + EDGE, width, 3), PAGE, np.uint8)
    _paste(sheet, _heading(episode, width - 2 * EDGE), EDGE, 0)
    _paste(sheet, _captioned(large, caption(episode, first)), EDGE, HEAD)
    for index, tile in enumerate(tiles):
        column, row = index % columns, index // columns
        _paste(sheet, tile, EDGE + side + GAP + column * (small + GAP), HEAD + row * (small + GAP))
    _paste(sheet, legend, EDGE, HEAD + side + GAP)
    return sheet


def caption(episode: ShownEpisode, frame: ShownFrame) -> str:
    """The step, and what was reached or was being done then."""
    reached = [mark.text for mark in episode.keyposes if mark.step == frame.step]
    words = next(iter(reached), "") or _under_way(episode.subtasks, frame.step)
    if frame.step == episode.length:
        words = "success" if episode.success else "no success"
    elif frame.step == 0:
        words = "start"
    elif not words and reached:
        words = "key pose"
    return f"step {frame.step}  {words}".rstrip()


def legend_entries(episode: ShownEpisode, colours: Mapping[str, Colour]) -> list[tuple[Colour, str]]:
    """Colour and words of what is drawn: objects by their numbers, then paths and points."""
    entries = [(colour, f"{number} {name}") for number, (name, colour) in enumerate(colours.items(), 1)]
    entries.append((GRIPPER_PATH, "path of the gripper"))
    if episode.target_m is not None:
        entries.append((TARGET_PATH, "path of what the task acts on"))
    if episode.goal_m is not None:
        entries.append((GOAL, "goal"))
    return entries


def _under_way(subtasks: tuple[Mark, ...], step: int) -> str:
    begun = [mark.text for mark in subtasks if mark.step <= step]
    return begun[-1] if begun else ""


def _marks(frame: ShownFrame, names: Mapping[int, str]) -> tuple[ObjectMark, ...]:
    if frame.segmentation is None:
        return ()
    things = {i: text for i, text in names.items() if text.partition("/")[0] not in LEFT_OUT}
    return object_marks(frame.segmentation, things)


def _way(
    picture: Image, frame: ShownFrame, points_m: Float[np.ndarray, "t 3"], colour: Colour, width: int
) -> Image:
    """The path through the picture: pale where it is still to come."""
    now = frame.step
    to_come, gone = points_m[now:], points_m[: now + 1]
    red, green, blue = (round(0.45 * c + 0.55 * 255) for c in colour)
    pale = red, green, blue
    for part, shade, stroke in ((to_come, pale, width - 1), (gone, colour, width)):
        if len(part) > 1 and np.ptp(part, axis=0).max() > 0.01:
            picture = draw_path(picture, project(broken_path(part), frame.camera), shade, stroke)
    return draw_marker(picture, project(points_m[now][None], frame.camera)[0], colour, 3)


def _fit(picture: Image, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """As large as it goes into a square of `side` pixels, in the middle of it."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = picture if scale == 1 else cv2.resize(picture, size, interpolation=shrink)
    square = np.full((side, side, 3), PAGE, np.uint8)
    _paste(square, resized, (side - size[0]) // 2, (side - size[1]) // 2)
    return square


def _captioned(picture: Image, text: str) -> Image:
    """With a dark strip along its lower edge."""
    height, width = picture.shape[:2]
    scale = 0.42 if width < 400 else 0.5
    while text_width(text, scale) > width - 12 and len(text) > 8:
        text = text[:-5] + "..."
    strip = round(50 * scale)
    canvas = picture.copy()
    canvas[-strip:] = (0.35 * canvas[-strip:]).astype(np.uint8)
    return draw_text(canvas, text, (6, height - round(0.32 * strip)), scale, (255, 255, 255))


def _heading(episode: ShownEpisode, width: int) -> Image:
    case = episode.case
    canvas = np.full((HEAD, width, 3), PAGE, np.uint8)
    words = [case.env, case.task, f"seed {case.seed}", f"camera {episode.frames[0].camera.name}"]
    words += [case.start] if case.start != "standard" else []
    words += [case.split] if case.split else []
    words += [episode.source]
    canvas = draw_text(canvas, episode.instruction, (0, 34), 0.8, INK, 2)
    canvas = draw_text(canvas, "  |  ".join(words), (0, 60), 0.45, SOFT)
    outcome = f"{'success' if episode.success else 'no success'}, {episode.length} steps"
    colour = GOAL if episode.success else (194, 73, 29)
    return draw_text(canvas, outcome, (width - text_width(outcome, 0.5), 60), 0.5, colour)


def _legend(episode: ShownEpisode, colours: Mapping[str, Colour], width: int) -> Image:
    shown = [((colour,), text) for colour, text in legend_entries(episode, colours)]
    shown += [(AXES, "key poses: x, y, z")] if episode.keyposes else []
    places, x, row = [], 0, 0
    for colours_of, text in shown:
        wide = text_width(text, 0.45) + 42
        if x and x + wide > width:
            x, row = 0, row + 1
        places.append((x, row, colours_of, text))
        x += wide
    canvas = np.full(((row + 1) * LINE, width, 3), PAGE, np.uint8)
    for x, row, colours_of, text in places:
        top, part = row * LINE + 7, 15 // len(colours_of)
        for i, colour in enumerate(colours_of):
            corner = x + i * part, top
            cv2.rectangle(canvas, corner, (corner[0] + part - 2, top + 10), colour, cv2.FILLED)
        canvas = draw_text(canvas, text, (x + 20, top + 10), 0.45, INK)
    return canvas


def _paste(canvas: np.ndarray, picture: Image, x: int, y: int) -> None:
    height, width = picture.shape[:2]
    canvas[y : y + height, x : x + width] = picture
