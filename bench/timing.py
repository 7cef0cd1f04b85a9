"""Medians of repeated runs, and the time of training steps as the training loop makes them."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from kinesight.training.config import TrainingConfig
from kinesight.training.losses import autocast_type
from kinesight.training.state import make_optimizers


def median_s(run: Callable[[], object], repeats: int) -> float:
    """Seconds of one call, after a first one that is not counted."""
    run()
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        spent.append(time.perf_counter() - began)
    return float(np.median(spent))


def training_step_s(
    model: nn.Module, loss: Callable[[], Tensor], training: TrainingConfig, repeats: int
) -> float:
    """Seconds of one step with the recipe's optimisers and precision, reading of data excluded."""
    precision = autocast_type(training.precision, torch.device("cpu"))
    optimizers, _ = make_optimizers(model.train(), training)

    def step() -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            value = loss()
        value.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return median_s(step, repeats)
