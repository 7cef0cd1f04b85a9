"""Latent actions: what happened in a video as a few codes, and what the codes say back.

python examples/03_latent_actions.py --run runs/ssm-vla-small --task drawer-open --seed 3
python examples/03_latent_actions.py          # trains a tiny model first; it has learned next to nothing
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kinesight.collection.collect import collect
from kinesight.data.episodes import EpisodeStore
from kinesight.data.windows import open_windows
from kinesight.experiments import catalogue as recipes
from kinesight.experiments.imagined import above
from kinesight.experiments.pictures import write_png
from kinesight.experiments.runs import Run, create_run, load_stage, open_run
from kinesight.experiments.ssm_vla import LAM
from kinesight.experiments.training import train_run
from kinesight.models.latent_actions import LatentActions, LatentBatch
from kinesight.models.latent_horizons import measure_horizons


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, help="a trained run, such as runs/ssm-vla-small")
    parser.add_argument("--task", default="handle-press")
    parser.add_argument("--seed", type=int, default=0, help="layout; demonstrations have seeds from 1000 on")
    parser.add_argument("--out", type=Path, default=Path("latent.png"))
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kinesight-"))

    # 1. A LAM is a stage of every SSM-VLA recipe. It has watched video and read no action.
    run = open_run(options.run) if options.run else train_tiny(folder)
    model = load_stage(run, LAM).model
    assert isinstance(model, LatentActions), "the stage `lam` of an SSM-VLA recipe"

    # 2. An episode that it has not seen, with depth.
    unseen = collect(
        replace(run.recipe.data, tasks=(options.task,), episodes=1, first_seed=options.seed, depth=True),
        folder / "unseen",
    )
    camera = run.recipe.data.cameras[0]
    rgb = unseen[0].arrays[f"rgb.{camera}"]
    depth_m = unseen[0].arrays[f"depth_mm.{camera}"] / np.float32(1000)

    # 3. From the present frame and a few key frames to their codes, and back from the codes alone.
    now = len(rgb) // 3
    frames = [now, *(now + steps for steps in model.steps)]
    clip = rgb[np.minimum(frames, len(rgb) - 1)]
    codes = model.codes_of(clip)
    for steps, code in zip(model.steps, codes, strict=True):
        print(f"{steps:3d} steps later: codes {' '.join(f'{c:2d}' for c in code)}")
    drawn = model.draw(clip[0], depth_m[now] if model.depth else None, codes)

    # 4. Codes of a clip in which nothing happens should leave the scene as it is.
    still = model.codes_of(np.repeat(clip[:1], len(clip), axis=0))
    unmoved = model.draw(clip[0], depth_m[now] if model.depth else None, still)
    write_png(
        options.out, above(clip, np.concatenate([clip[:1], drawn]), np.concatenate([clip[:1], unmoved]))
    )
    print(f"Wrote {options.out}. Rows: what happened, what its codes draw, what codes of a still clip draw")

    # 5. Are the codes used, and do they say more than the present frame? Over 64 starts of the episode.
    print("Error, where things move, of key frames drawn from three kinds of codes and of the present frame:")
    print("steps  own codes  another start's  a still clip's  present frame  used  perplexity")
    for horizon in measure_horizons(model, some_starts(model, unseen, camera)):
        print(
            f"{horizon.steps:5d}  {horizon.error:9.3f}  {horizon.other_error:15.3f}  "
            f"{horizon.still_error:14.3f}  {horizon.copy_error:13.3f}  "
            f"{horizon.used:4d}  {horizon.perplexity:10.1f}"
        )


def some_starts(model: LatentActions, store: EpisodeStore, camera: str) -> LatentBatch:
    """Clips of the store, drawn as the model is trained on them."""
    source = open_windows(store, model.spec, (camera,))
    return model.collate("latent", source.batch((0,), 64))


def train_tiny(folder: Path) -> Run:
    """Two demonstrations and four steps of every stage: enough to see how the parts fit."""
    print(f"No run was given; training a tiny one in {folder}")
    torch.set_num_threads(1)
    recipe = recipes.recipe("ssm-vla-tiny")
    run = create_run(folder / "run", recipe)
    train_run(run, collect(recipe.data, folder / "data"))
    return run


if __name__ == "__main__":
    main()
