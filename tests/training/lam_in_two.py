"""Trains latent actions in several processes; each leaves weights, and the buffers of every forward."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor

from kinesight.experiments import ssm_vla_recipes
from kinesight.interfaces.model import Windows
from kinesight.models.latent_actions import LatentActionsConfig
from kinesight.training.config import TrainingConfig
from kinesight.training.loop import Batches, train
from kinesight.types.facts import DataFacts

FACTS = DataFacts("video", (), ("phone",), {}, False, None, (), (), (), uncalibrated_size=(8, 8))
TINY = ssm_vla_recipes.TINY.stage("lam").model
assert isinstance(TINY, LatentActionsConfig), "latent actions"
LAM = replace(TINY, size=0, gap=1, depth=False, shift=0)
TRAINING = TrainingConfig(steps=3, warmup=1, log_every=1, save_every=3, accumulate=2, learning_rate=1e-3)


def clips(seeds: Sequence[tuple[int, ...]], size: int) -> Iterator[Windows]:
    """Of other lengths: some frames lie after the end."""
    for seed in seeds:
        draw = np.random.default_rng(seed)
        rgb = torch.from_numpy(draw.integers(0, 256, (size, 3, 8, 8, 3), np.uint8))
        last = torch.from_numpy(draw.integers(1, 3, (size, 1)))
        yield Windows({"rgb": rgb}, {"rgb": torch.arange(3) <= last}, ("",) * size)


def joined(seeds: Sequence[tuple[int, ...]], size: int) -> Iterator[Windows]:
    """What two processes see together."""
    of_both = (
        clips([(seed, number, rank, stream) for seed, number, _, stream in seeds], size) for rank in (0, 1)
    )
    for one, other in zip(*of_both, strict=True):
        rgb, valid = (
            torch.cat([getattr(windows, name)["rgb"] for windows in (one, other)])
            for name in ("values", "valid")
        )
        yield Windows({"rgb": rgb}, {"rgb": valid}, ("",) * len(rgb))


def watched(batches: Batches, folder: Path, restarts: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    model = LAM.build(FACTS)
    if not restarts:
        model.quantiser.dead_below = 0.0
    buffers: list[dict[str, Tensor]] = []
    model.quantiser.register_forward_hook(
        lambda *_: buffers.append({name: buffer.clone() for name, buffer in model.named_buffers()})
    )
    train(model, {"latent": batches}, TRAINING, folder, {})
    return {"buffers": buffers, "weights": dict(model.state_dict())}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    rank = PartialState(cpu=True).process_index
    for name in ("restarts", "none"):
        torch.save(watched(clips, folder / name, name == "restarts"), folder / f"{name}{rank}.pt")
    PartialState().destroy_process_group()
