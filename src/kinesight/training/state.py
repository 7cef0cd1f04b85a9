"""What an optimiser step changes and a checkpoint holds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinesight.interfaces.model import TrainableModel
from kinesight.nn.checkpoint import load_into
from kinesight.nn.ema import EMA
from kinesight.training.checkpoints import Checkpoint, TrainerState, last_checkpoint, load_checkpoint
from kinesight.training.config import TrainingConfig
from kinesight.training.muon import Muon, hidden_weights
from kinesight.types.errors import DataError, KinesightError


class Diverged(KinesightError):
    """A loss or gradient that is not a finite number."""


class Means:
    """Means since the last log line, summed on the device: a step never waits for the host."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()}

    def clear(self) -> None:
        self.sums, self.counts = {}, {}


@dataclass(slots=True)
class TrainingState:
    """Changed in place by every step."""

    model: nn.Module
    trained: list[nn.Parameter]
    optimizers: tuple[torch.optim.Optimizer, ...]
    ema: EMA
    means: Means
    step: int = 0

    def checkpoint(self, description: Mapping[str, Any]) -> Checkpoint:
        return Checkpoint(
            description=description,
            model=self.model.state_dict(),
            ema=self.ema.average,
            trainer=TrainerState(
                self.step,
                tuple(optimizer.state_dict() for optimizer in self.optimizers),
                dict(self.means.sums),
                dict(self.means.counts),
            ),
        )

    def finite_means(self) -> dict[str, float]:
        """The means since the last log line; an error if one is no number, before it reaches a checkpoint."""
        values = self.means.read()
        if broken := {name: value for name, value in values.items() if not math.isfinite(value)}:
            named = ", ".join(f"{name} is {value}" for name, value in broken.items())
            raise Diverged(
                f"Training diverged up to step {self.step}: {named}. The last checkpoint is from before; "
                "a smaller training.learning_rate or clip_norm helps."
            )
        return values


def begin(model: nn.Module, config: TrainingConfig, folder: Path) -> TrainingState:
    """From the newest checkpoint in `folder`, or from the model as it is."""
    optimizers, trained = make_optimizers(model, config)
    state = TrainingState(model, trained, optimizers, EMA(model, config.ema), Means())
    path = last_checkpoint(folder)
    if path is not None:
        _resume(state, load_checkpoint(path), path)
    return state


def _resume(state: TrainingState, checkpoint: Checkpoint, path: Path) -> None:
    trainer = checkpoint.trainer
    load_into(state.model, checkpoint.model, path / "model.safetensors")
    if missing := state.ema.average.keys() - checkpoint.ema.keys():
        raise DataError(f"{path / 'ema.safetensors'}: does not fit the model: missing {sorted(missing)[:5]}")
    state.ema.load(checkpoint.ema, trainer.step)
    counts = [_counts(optimizer.state_dict()) for optimizer in state.optimizers]
    if counts != [_counts(stored) for stored in trainer.optimizers]:
        raise DataError(
            f"{path / 'trainer' / 'state.pt'}: its parameter groups are not the model's, or of another "
            "training.optimizer"
        )
    # Moments come from the file; learning rate, decay and the like from the present configuration.
    for optimizer, stored in zip(state.optimizers, trainer.optimizers, strict=True):
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": stored["state"], "param_groups": groups})
    device = state.trained[0].device
    state.means.sums = {name: value.to(device) for name, value in trainer.sums.items()}
    state.means.counts = dict(trainer.counts)
    state.step = trainer.step


def _counts(optimizer: Mapping[str, Any]) -> list[int]:
    """Number of parameters in each group of an optimiser's state."""
    return [len(group["params"]) for group in optimizer["param_groups"]]


def make_optimizers(
    model: nn.Module, config: TrainingConfig
) -> tuple[tuple[torch.optim.Optimizer, ...], list[nn.Parameter]]:
    """AdamW over the model's parameter groups, or Muon for hidden layers and AdamW for the rest.

    Everything that is in no group is frozen.
    """
    trainable: TrainableModel = model  # type: ignore[assignment]
    groups = trainable.parameter_groups()
    trained = [parameter for group in groups for parameter in group["params"]]
    chosen = {id(parameter) for parameter in trained}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    hidden = {id(weight) for weight in hidden_weights(model)} if config.optimizer == "muon" else set()
    matrices = _groups(groups, config.muon_learning_rate, lambda p: id(p) in hidden)
    rest = _groups(groups, config.learning_rate, lambda p: id(p) not in hidden)
    decay = config.weight_decay
    adam = torch.optim.AdamW(
        rest, lr=config.learning_rate, betas=config.betas, weight_decay=decay, fused=True
    )
    if not matrices:
        return (adam,), trained
    return (adam, Muon(matrices, lr=config.muon_learning_rate, weight_decay=decay)), trained


def _groups(
    groups: Sequence[Mapping[str, Any]], peak: float, wanted: Callable[[nn.Parameter], bool]
) -> list[dict[str, Any]]:
    """The wanted parameters of each group that has any, with the peak of its learning rate."""
    chosen = [
        {**group, "params": [p for p in group["params"] if wanted(p)], "peak": peak * group.get("scale", 1.0)}
        for group in groups
    ]
    return [group for group in chosen if group["params"]]
