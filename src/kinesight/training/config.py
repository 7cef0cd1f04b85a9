"""Settings of one training run."""

import math
from dataclasses import dataclass
from typing import Literal

from kinesight.types.errors import UsageError


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Optimiser with linear warm-up and cosine decay, EMA, clipping and accumulation."""

    steps: int = 1000
    fewest_steps: int = 0
    """What a recipe's `training_minutes` leaves on a slow machine, however long it takes."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """"muon" updates the weights of hidden layers by Muon and the rest by AdamW (see training.muon)."""
    learning_rate: float = 1e-4
    """Peak of AdamW's; parameter groups may scale it by a key "scale"."""
    muon_learning_rate: float = 0.02
    """Peak of Muon's, in units of an orthogonal matrix."""
    weight_decay: float = 1e-6
    betas: tuple[float, float] = (0.95, 0.999)
    warmup: int = 100
    """Steps of linear warm-up."""
    final_fraction: float = 0.02
    """Learning rate at the end as a fraction of the peak."""
    ema: float = 0.9999
    """Highest decay of the moving average; it rises with the step (see nn.ema)."""
    clip_norm: float = 1.0
    accumulate: int = 1
    """Batches an optimiser step."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """Autocast type; the parameters stay float32. "auto" is bfloat16 where the hardware computes in it."""
    seed: int = 0
    log_every: int = 20
    save_every: int = 500
    keep_every: int = 0
    """Keep every n-th step's checkpoint beside the last one; 0 keeps the last only."""
    workers: int = 2
    """Loading processes, used only where the data set does not fit into memory."""

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"training.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("seed", "warmup", "keep_every", "workers", "weight_decay", "final_fraction"):
            if getattr(self, name) < 0:
                raise UsageError(f"training.{name} must not be negative, got {getattr(self, name)}")
        for name in ("learning_rate", "muon_learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise UsageError(f"training.{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise UsageError(f"training.ema must be at least 0 and below 1, got {self.ema}")


def learning_rate_factor(step: int, config: TrainingConfig) -> float:
    """Factor on the peak learning rate for the update after `step` finished steps."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return config.final_fraction + (1 - config.final_fraction) * cosine
