"""The picture of docs/ground.md: a record of every type, drawn into the frame that it asks about.

python bench/ground_picture.py --out docs/images
"""

import argparse
import textwrap
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kinesight.collection.grounding.make import GroundConfig, ground
from kinesight.data.ground_set import GroundItem, GroundSet
from kinesight.language.dialects.answers import Progress, write_metres, write_progress
from kinesight.types.ground import (
    RECORD_TYPES,
    BoxAnswer,
    ChoiceAnswer,
    GroundAnswer,
    MetresAnswer,
    OffsetsAnswer,
    PathAnswer,
    ProgressAnswer,
    RegionAnswer,
    SentenceAnswer,
)
from kinesight.types.spatial import ImagePath

CAPTION, LETTERS, GAP = 76, 44, 6
"""Height below a picture in pixels, letters in a line there, pixels between pictures."""
SETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tabletop": (("put-in-drawer", "put-groceries", "pick-place", "close-jar"), ("front", "free")),
    "metaworld": (("door-open",), ("corner",)),
}
"""Environment -> tasks and cameras."""
CHOSEN: dict[str, tuple[str, int]] = {
    "box": ("put-groceries", 3),
    "point": ("pick-place", 9),
    "part": ("door-open", 1),
    "free-space": ("pick-place", 4),
    "object-path": ("put-groceries", 2),
    "gripper-path": ("put-in-drawer", 3),
    "start-depth": ("close-jar", 2),
    "depth-offsets": ("put-in-drawer", 10),
    "relation": ("put-groceries", 8),
    "support": ("put-groceries", 3),
    "nearest": ("pick-place", 6),
    "orientation": ("put-groceries", 4),
    "count": ("put-in-drawer", 7),
    "next-step": ("put-in-drawer", 5),
    "previous-step": ("put-in-drawer", 9),
    "step-index": ("close-jar", 1),
    "progress": ("put-in-drawer", 13),
    "remaining-path": ("put-groceries", 0),
    "next-path": ("put-in-drawer", 4),
}
"""Type -> task, and which of its records of that type."""
INK, GREY = (20, 20, 20), (95, 95, 95)
GREEN, MAGENTA, YELLOW, RED = (40, 220, 70), (255, 40, 230), (255, 225, 30), (240, 50, 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=216)
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--sets", type=Path, default=Path("runs/bench-ground/picture"))
    parser.add_argument("--out", type=Path, default=Path("runs/bench-ground"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sets = [made(env, 2 * options.size, options.sets / env) for env in SETS]
    tiles = [tile(chosen(sets, name), options.size) for name in RECORD_TYPES]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % options.columns)
    rows = [np.hstack(tiles[i : i + options.columns]) for i in range(0, len(tiles), options.columns)]
    path = options.out / "ground.png"
    sheet = Image.fromarray(np.vstack(rows))
    # Maximum coverage keeps small bright things in their colour, dithering keeps wide soft ones even.
    palette = sheet.quantize(256, Image.Quantize.MAXCOVERAGE)
    sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def made(env: str, size: int, folder: Path) -> GroundSet:
    """Pictures of twice the final size, to be made smaller without jagged edges."""
    tasks, cameras = SETS[env]
    config = GroundConfig(env, tasks, 1, cameras, ("own", "random"), size, size, 5, codec="png")
    return ground(config, folder)


def chosen(sets: list[GroundSet], name: str) -> GroundItem:
    task, number = CHOSEN[name]
    for each in sets:
        records = GroundSet(each.path, types=(name,))
        fitting = [
            i
            for i in range(len(records))
            if records.episodes[int(records.record(i).name.split("/")[0])].case.task == task
        ]
        if fitting:
            return records[fitting[number % len(fitting)]]
    raise SystemExit(f"no record {name!r} of task {task!r}")


def tile(item: GroundItem, size: int) -> np.ndarray:
    """The frame with the answer in it at twice the size, made smaller, and the words below."""
    canvas = marked(item)
    picture = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    below = Image.new("RGB", (size, size + CAPTION), "white")
    below.paste(Image.fromarray(picture), (0, 0))
    pen, small = ImageDraw.Draw(below), ImageFont.load_default(size=9)
    record = item.record
    title = f"{record.type}  ({RECORD_TYPES[record.type].group})"
    pen.text((3, size + 1), title, INK, ImageFont.load_default(size=12))
    question = record.question.replace(" {given}", "").replace("{given}", "")
    lines = textwrap.wrap(question, LETTERS)
    lines = lines if len(lines) <= 3 else [*lines[:2], lines[2][: LETTERS - 2] + "…"]
    answer = textwrap.wrap(words(record.answer), LETTERS)[:2]
    y = size + 17
    for line in lines:
        pen.text((3, y), line, GREY, small)
        y += 11
    for line in answer:
        pen.text((3, y), line, (0, 110, 40), small)
        y += 11
    return np.pad(np.asarray(below), ((0, 0), (0, GAP), (0, 0)), constant_values=255)


def marked(item: GroundItem) -> np.ndarray:
    picture, answer = item.image.copy(), item.record.answer
    height, width = picture.shape[:2]

    def pixel(x: float, y: float) -> tuple[int, int]:
        return round(x * width), round(y * height)

    match answer:
        case RegionAnswer(points, region):
            mask = region.mask()
            picture[mask] = (0.55 * picture[mask] + 0.45 * np.array(MAGENTA)).astype(np.uint8)
            for point in points:
                cv2.circle(picture, pixel(*point.xy), 7, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
                cv2.circle(picture, pixel(*point.xy), 5, GREEN, cv2.FILLED, cv2.LINE_AA)
        case BoxAnswer(box):
            cv2.rectangle(
                picture, pixel(box.left, box.top), pixel(box.right, box.bottom), GREEN, 3, cv2.LINE_AA
            )
        case PathAnswer(path):
            draw(picture, path, pixel)
    if item.record.given is not None:
        draw(picture, item.record.given, pixel)
    return picture


def draw(picture: np.ndarray, path: ImagePath, pixel) -> None:
    spots = [pixel(x, y) for x, y in path.points.tolist()]
    for index, (one, other) in enumerate(pairwise(spots)):
        share = index / (len(spots) - 2)
        colour = tuple(round((1 - share) * a + share * b) for a, b in zip(YELLOW, RED, strict=True))
        cv2.line(picture, one, other, colour, 4, cv2.LINE_AA)
    for spot in spots:
        cv2.circle(picture, spot, 5, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, spot, 3, INK, cv2.FILLED, cv2.LINE_AA)
    for event in path.events:
        cv2.circle(picture, spots[event.index], 11, (60, 120, 255) if event.opens else RED, 3, cv2.LINE_AA)


def words(answer: GroundAnswer) -> str:
    match answer:
        case ChoiceAnswer():
            return answer.words
        case MetresAnswer(metres):
            return write_metres(metres)
        case OffsetsAnswer(depth_m):
            return " ".join(f"{offset:+.2f}" for offset in depth_m - depth_m[0])
        case ProgressAnswer(completed, finished):
            return write_progress(Progress(completed, finished))
        case SentenceAnswer(text):
            return text
    return ""


if __name__ == "__main__":
    main()
