"""What the stages of an SSM-VLA recipe cost: CPU seconds a training step, and a decision, on one thread.

    python bench/ssm_vla.py --recipes ssm-vla-small,ssm-vla-small-plain --out runs/bench-ssm-vla

CPU time, not the wall clock, so that other jobs disturb it less. Pictures are noise of the recipe's own
size. "codes" is the derivation of true latent plans, for 100 frames of one camera.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imagine import scene
from torch import nn

from kinesight.cli.arguments import names
from kinesight.evaluation.provenance import hardware, versions
from kinesight.experiments import catalogue
from kinesight.experiments.recipe import Recipe, Stage
from kinesight.interfaces.model import TrainableModel, Windows
from kinesight.models.latent_actions import LatentActions
from kinesight.models.latent_codes import LatentCodes
from kinesight.models.ssm_vla import SsmVla
from kinesight.training.losses import WeightedLosses
from kinesight.types.files import write_atomic
from kinesight.types.observation import Observation
from kinesight.types.windows import Offsets, Take


def cpu_s(action: Callable[[], object], repeats: int) -> float:
    """The least of several, after one that warms up."""
    action()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)


def noise(take: Take, batch: int, edge: int, stage: Stage) -> torch.Tensor:
    """What the store would give of a take, made up."""
    assert isinstance(take.rule, Offsets), "models of SSM-VLA take frames at fixed distances"
    lead = (batch, len(take.rule.offsets))
    kind = take.key.partition(".")[0]
    if kind == "rgb":
        return torch.randint(0, 256, (*lead, edge, edge, 3), dtype=torch.uint8)
    if kind == "depth_mm":
        return torch.randint(500, 2000, (*lead, edge, edge)).to(torch.uint16)
    if kind == "codes":
        config: Any = stage.model
        return torch.randint(0, config.codes, (*lead, config.frames, config.tokens)).to(torch.int16)
    return 2 * torch.rand(*lead, 8 if kind == "proprio" else 4) - 1


def step_of(stage: Stage, model: nn.Module, edge: int) -> Callable[[], None]:
    """One optimiser step on one batch."""
    trainable: TrainableModel = model  # type: ignore[assignment]
    ((name, stream),) = trainable.streams.items()
    values = {key: noise(take, stream.batch_size, edge, stage) for key, take in stream.windows.takes.items()}
    valid = {key: torch.ones(value.shape[:2], dtype=torch.bool) for key, value in values.items()}
    windows = {name: Windows(values, valid, ("open the door",) * stream.batch_size)}
    losses = WeightedLosses(model, stage.training)
    trained = [parameter for group in trainable.parameter_groups() for parameter in group["params"]]
    optimiser = torch.optim.AdamW(trained)
    generators = {name: torch.Generator().manual_seed(0)}

    def step() -> None:
        losses(windows, generators)[0].backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def read_codes(model: LatentActions, edge: int) -> None:
    LatentCodes(model).of_video(np.random.default_rng(0).integers(0, 256, (100, edge, edge, 3), np.uint8))


def decide(model: SsmVla, observation: Observation) -> None:
    count = model.config.history
    model.predict([observation] * count, [True] * count, torch.Generator().manual_seed(0))


def measure(recipe: Recipe, repeats: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Stage by stage, and what comes with it."""
    edge = recipe.data.height
    observation, facts = scene(edge)
    facts = replace(facts, words=tuple(sorted(set(facts.words))))
    for stage in recipe.stages:
        torch.manual_seed(0)
        model = stage.model.build(facts)
        seconds = cpu_s(step_of(stage, model.train(), edge), repeats)
        yield (
            stage.name,
            {
                "parameters_M": sum(p.numel() for p in model.parameters() if p.requires_grad) / 1e6,
                "cpu_s_a_step": seconds,
                "cpu_min": seconds * stage.training.steps / 60,
            },
        )
        model.eval()
        if isinstance(model, LatentActions):
            yield "codes", {"cpu_s_100_frames": cpu_s(partial(read_codes, model, edge), 2)}
        if isinstance(model, SsmVla):
            yield "decision", {"cpu_s": cpu_s(partial(decide, model, observation), 2 * repeats)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recipes", default="ssm-vla-small,ssm-vla-small-plain")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-ssm-vla"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {"hardware": hardware(), "versions": versions(), "threads": 1}
    print(f"{found['hardware']['cpu']}, 1 thread")
    for name in names(options.recipes):
        found[name] = {}
        for part, numbers in measure(catalogue.recipe(name), options.repeats):
            found[name][part] = numbers
            told = ", ".join(f"{label} {value:.3g}" for label, value in numbers.items())
            print(f"{name:24s} {part:10s} {told}", flush=True)
    write_atomic(options.out / "ssm_vla.json", json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
