"""The picture of docs/chains.md: one chain of the expert, every task as it begins and when it is done.

python bench/chains_picture.py --out docs/images
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kinesight.agents.episode import run_episode
from kinesight.envs import catalogue
from kinesight.interfaces.environment import Environment
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.observation import Observation, StepResult, ViewRequest
from kinesight.types.results import EpisodeResult

CAPTION, GAP = 24, 8
"""Heights of the line over a pair of pictures and of the room between rows, in pixels."""
LEFT, TOP, PART = 0.14, 0.2, 0.66
"""What is shown of the camera's view."""


class Moments:
    """A subscriber that keeps the pictures of every task's first and last frame."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pairs: list[list[tuple[int, np.ndarray]]] = []
        self.sentences: list[str] = []

    def start(self, case: Case, environment: Environment) -> None:
        self.case, self.environment = case, environment
        self.begin()

    def step(self, observation: Observation, decision: Decision, result: StepResult) -> None:
        if result.events:
            self.pairs[-1].append(self.picture())
        elif len(self.pairs[-1]) == 2:
            self.begin()

    def end(self, result: EpisodeResult) -> None:
        self.result = result

    def begin(self) -> None:
        self.pairs.append([self.picture()])
        self.sentences.append(self.environment.observe(ViewRequest()).instruction)

    def picture(self) -> tuple[int, np.ndarray]:
        full = round(2 * self.size / PART)
        request = ViewRequest((self.case.camera,), full, full, crop=False)
        observation = self.environment.observe(request)
        view = observation.views[self.case.camera].rgb
        assert view is not None
        # Two samples a pixel each way smooth the edges that the fast renderer leaves sharp.
        top, left = round(TOP * full), round(LEFT * full)
        part = view[top : top + 2 * self.size, left : left + 2 * self.size]
        small = part.reshape(self.size, 2, self.size, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
        return observation.step, small


def row_of(family: str, options: argparse.Namespace) -> np.ndarray:
    case = Case("metaworld-chains", family, options.seed, options.camera)
    moments = Moments(options.size)
    result = run_episode(catalogue.make_case(case), catalogue.expert(case.env, case), (moments,))
    assert result.success, f"the expert fails at {case}; take another seed"
    tiles = []
    for number, (pair, sentence) in enumerate(zip(moments.pairs, moments.sentences, strict=True), 1):
        canvas = Image.new("RGB", (2 * options.size + GAP, options.size + CAPTION + GAP), "white")
        pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=14)
        pen.text((2, 4), f"{number}. {sentence}", "black", font)
        for place, (step, picture) in enumerate(pair):
            canvas.paste(Image.fromarray(picture), (place * options.size, CAPTION))
            where = (place * options.size + 5, CAPTION + options.size - 18)
            pen.text(where, f"step {step}", "white", ImageFont.load_default(size=12))
        tiles.append(np.asarray(canvas))
    return np.hstack(tiles)[:, :-GAP]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--families", default="drawer,lock,handle-side")
    parser.add_argument("--camera", default="corner")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-chains"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [row_of(family, options) for family in catalogue.task_set("metaworld-chains", options.families)]
    path = options.out / "chains.png"
    Image.fromarray(np.vstack(rows)).quantize(256).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
