"""The picture of docs/tabletop.md: every task at the moment when its expert is nearly done.

python bench/tabletop_picture.py --out docs/images
"""

import argparse
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kinesight.envs import catalogue
from kinesight.types.case import Case
from kinesight.types.observation import ViewRequest

CAPTION = 42
"""Height of the two lines below a picture, in pixels."""
MOMENTS = {"open-drawer": 0.8, "close-drawer": 0.4, "press-sum": 0.9, "swap": 0.55, "put-in-drawer": 0.6}
"""Task -> share of the expert's steps at which it is drawn; the others at 0.75."""


def moment(task: str, seed: int, split: str, share: float, size: int) -> tuple[np.ndarray, str]:
    """The picture after that share of the expert's episode, and the sentence."""
    case = Case("tabletop", task, seed, "front", split=split)
    environment, expert = catalogue.make_case(case), catalogue.expert("tabletop", case)
    request = ViewRequest(cameras=("front",), height=2 * size, width=2 * size)
    result = environment.reset()
    frames = []
    while not result.success and not result.truncated:
        if result.step % 3 == 0:
            view = environment.observe(request).views["front"].rgb
            assert view is not None
            frames.append(view)
        result = environment.step(expert.act(environment.observe(expert.request())).action)
    large = frames[int(share * (len(frames) - 1))]
    # Two samples a pixel each way smooth the edges that the fast renderer leaves sharp.
    small = large.reshape(size, 2, size, 2, 3).mean(axis=(1, 3))
    return small.astype(np.uint8), environment.observe(ViewRequest()).instruction


def captioned(picture: np.ndarray, title: str, text: str) -> np.ndarray:
    size = picture.shape[1]
    canvas = Image.new("RGB", (size, size + CAPTION), "white")
    canvas.paste(Image.fromarray(picture), (0, 0))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=10)
    lines = textwrap.wrap(text, 38)
    lines = lines if len(lines) < 3 else [lines[0], lines[1][:35] + "…"]
    pen.text((3, size + 1), title, "black", ImageFont.load_default(size=11))
    pen.text((3, size + 14), "\n".join(lines), (70, 70, 70), font, spacing=0)
    return np.asarray(canvas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-tabletop"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    shown = [(task, "", MOMENTS.get(task, 0.75)) for task in catalogue.tasks("tabletop")]
    others = ("unseen-looks", "unseen-colours", "similar-distractors")
    shown += [("pick-place", split, 0.6) for split in others]
    tiles = []
    for task, split, share in shown:
        picture, text = moment(task, options.seed, split, share, options.size)
        tiles.append(captioned(picture, f"{task}, {split}" if split else task, text))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % options.columns)
    rows = [np.hstack(tiles[i : i + options.columns]) for i in range(0, len(tiles), options.columns)]
    path = options.out / "tabletop.png"
    # Maximum coverage keeps small bright things in their colour, which a palette by area does not.
    palette = Image.fromarray(np.vstack(rows)).quantize(
        256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    palette.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
