"""What latent actions tell of the hand's motion: linear probes on demonstrations.

    python bench/latent_probe.py --run runs/ssm-vla-small --out runs/bench-latent-probe

A LAM reads no action. How much of the way that the hand goes next do its codes tell, beyond what is known
without looking ahead? Ridge regressions, one for every task, foretell the way until each key frame from

    known            proprioception, and frozen features of the present frame (first principal components)
    + codes          that, and the codes of the key frame
    + other moment   that, and the codes of another moment of the episode: what the scene alone tells

They are fitted on the run's demonstrations and measured on others, of new layouts: the share of the variance
about a task's mean way that is foretold (R^2), with a 95 % interval by resampling episodes.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kinesight.collection.collect import collect
from kinesight.data.episodes import EpisodeStore
from kinesight.evaluation.provenance import hardware, versions
from kinesight.experiments.runs import Run, load_stage, open_run
from kinesight.experiments.ssm_vla import LAM
from kinesight.experiments.taught import with_latent_codes
from kinesight.models.latent_actions import LatentActions
from kinesight.types.files import write_atomic

HAND = slice(0, 3)
"""Of proprioception [m]."""
COMPONENTS = 32
RIDGES = 10.0 ** np.arange(0, 6)
RESAMPLES = 2000
Pair = tuple[np.ndarray, np.ndarray]
"""Inputs of training and test, [m d]."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Frames of episodes; whoever has key frames past the end is left out."""

    task: Int[np.ndarray, "m"]
    episode: Int[np.ndarray, "m"]
    proprio: Float[np.ndarray, "m p"]
    seen: Float[np.ndarray, "m d"]
    """Frozen features of the frame, patches averaged in quarters of the picture."""
    codes: Int[np.ndarray, "m k n"]
    other: Int[np.ndarray, "m k n"]
    """Of another moment of the episode."""
    way_m: Float[np.ndarray, "m k 3"]


@dataclass(frozen=True, slots=True)
class Score:
    """How much of the variance is foretold."""

    r2: float
    r2_95: tuple[float, float]
    gain: float
    """R^2 minus that of what is known without codes."""
    gain_95: tuple[float, float]


def moments(store: EpisodeStore, model: LatentActions, camera: str, every: int) -> Moments:
    """Every so many frames of every episode, as far as all key frames lie inside."""
    generator = np.random.default_rng(0)
    ahead = np.array(model.steps)
    found: list[tuple[np.ndarray, ...]] = []
    for index, episode in enumerate(store):
        arrays = episode.arrays
        frames = np.arange(0, episode.length + 1 - ahead[-1], every)
        if len(frames) < 2:
            continue
        task = np.full(len(frames), store.info.tasks.index(episode.case.task))
        others = (np.arange(len(frames)) + generator.integers(1, len(frames), len(frames))) % len(frames)
        hand, codes = arrays["proprio"][:, HAND], arrays[f"codes.{camera}"][frames].astype(int)
        seen = pooled(model, arrays[f"rgb.{camera}"][frames])
        way_m = hand[frames[:, None] + ahead] - hand[frames][:, None]
        place = np.full(len(frames), index)
        found.append((task, place, arrays["proprio"][frames], seen, codes, codes[others], way_m))
    return Moments(*(np.concatenate(part) for part in zip(*found, strict=True)))


def pooled(model: LatentActions, rgb: np.ndarray) -> Float[np.ndarray, "m d"]:
    """Features of each quarter of the picture, side by side."""
    seen = model.seen(torch.from_numpy(rgb)[:, None])[:, 0]
    edge = round(seen.shape[1] ** 0.5)
    tiles = seen.unflatten(1, (edge, edge)).permute(0, 3, 1, 2)
    return torch.nn.functional.adaptive_avg_pool2d(tiles, 2).flatten(1).numpy()


def probes(train: Moments, test: Moments, size: int) -> Iterator[tuple[int, dict[str, Score]]]:
    """Key frame by key frame: name of the inputs -> score on the test's moments."""
    known = of_present(train, test)
    for k in range(train.codes.shape[1]):
        told = [one_hot(some.codes[:, k], size) for some in (train, test)]
        elsewhere = [one_hot(some.other[:, k], size) for some in (train, test)]
        inputs = {"known": known, "+ codes": beside(known, told), "+ other moment": beside(known, elsewhere)}
        errors = {name: squared_errors(*pair, train, test, k) for name, pair in inputs.items()}
        spread = squared_spread(train, test, k)
        yield k, {name: score(each, errors["known"], spread, test.episode) for name, each in errors.items()}


def beside(known: Pair, told: Sequence[np.ndarray]) -> Pair:
    one, other = (np.hstack(pair) for pair in zip(known, told, strict=True))
    return one, other


def of_present(train: Moments, test: Moments) -> Pair:
    """Proprioception and components of features, scaled as in training."""
    mean = train.seen.mean(0)
    components = np.linalg.svd(train.seen - mean, full_matrices=False)[2][:COMPONENTS]
    rows = [np.hstack([some.proprio, (some.seen - mean) @ components.T]) for some in (train, test)]
    middle, scale = rows[0].mean(0), rows[0].std(0) + 1e-6
    scaled = [(each - middle) / scale for each in rows]
    return scaled[0], scaled[1]


def one_hot(codes: Int[np.ndarray, "m n"], size: int) -> Float[np.ndarray, "m n*size"]:
    return np.eye(size)[codes].reshape(len(codes), -1)


def squared_errors(
    own: np.ndarray, theirs: np.ndarray, train: Moments, test: Moments, k: int
) -> Float[np.ndarray, "m"]:
    """Of a ridge regression for every task; its weight is chosen on a fifth of the training episodes."""
    errors = np.zeros(len(test.task))
    way_m, wanted_m = train.way_m[:, k], test.way_m[:, k]
    for task in np.unique(test.task):
        here, there = train.task == task, test.task == task
        held = here & (train.episode % 5 == 4)
        fitted = here & ~held
        tried = (ridge(own[fitted], way_m[fitted], weight)(own[held]) - way_m[held] for weight in RIDGES)
        best = RIDGES[int(np.argmin([(each**2).sum() for each in tried]))]
        found_m = ridge(own[here], way_m[here], best)(theirs[there])
        errors[there] = ((found_m - wanted_m[there]) ** 2).sum(-1)
    return errors


def ridge(x: np.ndarray, y: np.ndarray, weight: float) -> Callable[[np.ndarray], np.ndarray]:
    """The line of least squares with a penalty on its slopes."""
    middle, mean = x.mean(0), y.mean(0)
    centred = x - middle
    slopes = np.linalg.solve(centred.T @ centred + weight * np.eye(x.shape[1]), centred.T @ (y - mean))
    return lambda other: (other - middle) @ slopes + mean


def squared_spread(train: Moments, test: Moments, k: int) -> Float[np.ndarray, "m"]:
    """Squared distance to the task's mean way in training."""
    means = {task: train.way_m[train.task == task, k].mean(0) for task in np.unique(test.task)}
    return ((test.way_m[:, k] - np.stack([means[task] for task in test.task])) ** 2).sum(-1)


def score(errors: np.ndarray, known: np.ndarray, spread: np.ndarray, episode: np.ndarray) -> Score:
    """Sums by episode, of which there are as many as were resampled."""
    parts = [[part[episode == e].sum() for e in np.unique(episode)] for part in (errors, known, spread)]
    sums = np.array(parts)
    drawn = np.random.default_rng(0).integers(0, sums.shape[1], (RESAMPLES, sums.shape[1]))
    wrong, least, whole = sums[:, drawn].sum(-1)

    def interval(values: np.ndarray) -> tuple[float, float]:
        low, high = np.quantile(values, (0.025, 0.975))
        return float(low), float(high)

    all_wrong, all_least, all_whole = sums.sum(-1)
    return Score(
        float(1 - all_wrong / all_whole),
        interval(1 - wrong / whole),
        float((all_least - all_wrong) / all_whole),
        interval((least - wrong) / whole),
    )


def measure(run: Run, unseen: Path, episodes: int, first_seed: int, every: int) -> dict[str, Any]:
    """Probes of the run's LAM; `unseen` is where demonstrations of other layouts are kept."""
    model = load_stage(run, LAM).model
    assert isinstance(model, LatentActions), "the stage `lam` of an SSM-VLA recipe"
    camera = run.recipe.data.cameras[0]
    fresh = collect(replace(run.recipe.data, episodes=episodes, first_seed=first_seed), unseen)
    stores = (with_latent_codes(run, LAM, store) for store in (EpisodeStore(run.data()), fresh))
    train, test = (moments(store, model, camera, every) for store in stores)
    found = probes(train, test, model.config.codes)
    return {
        "fitted": {"episodes": len(np.unique(train.episode)), "moments": len(train.task)},
        "measured": {"episodes": len(np.unique(test.episode)), "moments": len(test.task)},
        "steps": {model.steps[k]: {name: asdict(each) for name, each in rows.items()} for k, rows in found},
    }


def table(title: str, steps: dict[int, dict[str, dict[str, Any]]]) -> Table:
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("steps", "inputs", "R²", "more than known"):
        shown.add_column(column, justify="left" if column == "inputs" else "right", no_wrap=True)
    for ahead, rows in steps.items():
        for name, row in rows.items():
            gain = "{gain:+.3f} ({gain_95[0]:+.3f} to {gain_95[1]:+.3f})".format(**row)
            r2 = "{r2:.3f} ({r2_95[0]:.3f}–{r2_95[1]:.3f})".format(**row)
            first = name == "known"
            shown.add_row(str(ahead) if first else "", name, r2, "" if first else gain)
    return shown


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="of SSM-VLA, with a trained LAM")
    parser.add_argument("--episodes", type=int, default=10, help="unseen ones of each task")
    parser.add_argument("--first-seed", type=int, default=5000, help="of the unseen layouts")
    parser.add_argument("--every", type=int, default=4, help="so many frames between two moments")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-latent-probe"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = measure(
        open_run(options.run), options.out / "unseen", options.episodes, options.first_seed, options.every
    )
    head = f"{options.run}: {found['measured']['episodes']} unseen episodes"
    Console().print(table(head, found["steps"]))
    told = {"command": shlex.join(sys.argv), "hardware": hardware(), "versions": versions(), **found}
    write_atomic(options.out / "latent_probe.json", json.dumps(told, indent=2))
    print(f"Wrote {options.out / 'latent_probe.json'}")


if __name__ == "__main__":
    main()
