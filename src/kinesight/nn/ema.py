"""Exponential moving average of a module's parameters."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def ema_decay(step: int, maximum: float, power: float = 0.75) -> float:
    """Decay after `step` updates, rising towards `maximum`: 0.90 at 20 steps, 0.99 at 460 (power 0.75)."""
    return min(maximum, 1.0 - (1.0 + step) ** -power)


class EMA:
    """Averaged copies of the trained parameters; frozen ones and buffers are left out."""

    def __init__(self, module: nn.Module, maximum: float) -> None:
        self.maximum = maximum
        self.step = 0
        self.average = {n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.step += 1
        weight = 1.0 - ema_decay(self.step, self.maximum)
        current = [p.detach() for n, p in module.named_parameters() if n in self.average]
        torch._foreach_lerp_(list(self.average.values()), current, weight)

    @torch.no_grad()
    def load(self, average: Mapping[str, Tensor], step: int) -> None:
        self.step = step
        for name, value in self.average.items():
            value.copy_(average[name])

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        for name, parameter in module.named_parameters():
            if name in self.average:
                parameter.copy_(self.average[name])
