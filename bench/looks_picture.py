"""The picture of docs/looks.md: the same states in Meta-World's own look and in the looks A to D.

python bench/looks_picture.py --out docs/images
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kinesight.envs import catalogue
from kinesight.envs.metaworld import MetaWorld
from kinesight.envs.metaworld_looks import LOOKS
from kinesight.types.case import Case
from kinesight.types.observation import ViewRequest

SCENES = (("drawer-open", "corner", 30), ("handle-press-side", "corner2", 30), ("door-open", "corner3", 40))
"""Task, camera, and the expert's steps before the picture."""
CAPTION = 22


def state_of(task: str, camera: str, steps: int, seed: int) -> MetaWorld:
    """The environment after that many of the expert's steps."""
    case = Case("metaworld", task, seed, camera)
    environment, expert = MetaWorld(case), catalogue.expert("metaworld", case)
    environment.reset()
    for _ in range(steps):
        environment.step(expert.act(environment.observe(expert.request())).action)
    return environment


def drawn(environment: MetaWorld, split: str, size: int) -> np.ndarray:
    camera = environment.case.camera
    request = ViewRequest(cameras=(camera,), height=2 * size, width=2 * size, crop=False)
    view = environment.observe(request, split).views[camera].rgb
    assert view is not None
    # Two samples a pixel each way smooth the edges that the fast renderer leaves sharp.
    return view.reshape(size, 2, size, 2, 3).mean(axis=(1, 3)).astype(np.uint8)


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    canvas = Image.new("RGB", (picture.shape[1], picture.shape[0] + CAPTION), "white")
    canvas.paste(Image.fromarray(picture), (0, CAPTION))
    ImageDraw.Draw(canvas).text((4, 3), text, "black", ImageFont.load_default(size=14))
    return np.asarray(canvas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--size", type=int, default=176)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-looks"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    splits = {"": "Meta-World's own", **{name: f"{name}, trained in" for name in LOOKS}, "D": "D, held out"}
    rows = []
    for number, (task, camera, steps) in enumerate(SCENES):
        environment = state_of(task, camera, steps, options.seed)
        tiles = [drawn(environment, split, options.size) for split in splits]
        if number == 0:
            tiles = [captioned(tile, text) for tile, text in zip(tiles, splits.values(), strict=True)]
        rows.append(np.hstack(tiles))
    path = options.out / "looks.png"
    Image.fromarray(np.vstack(rows)).quantize(256).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
