"""The arm's own coordinates as tokens, scaled by what the demonstrations hold."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn


class Coordinates(nn.Module):
    """Proprioception -> one token a frame."""

    centre: Tensor
    gain: Tensor

    def __init__(self, low: Sequence[float], high: Sequence[float], features: int, hidden: int = 64) -> None:
        super().__init__()
        lowest, highest = torch.tensor(low), torch.tensor(high)
        spread = (highest - lowest) / 2
        self.register_buffer("centre", (highest + lowest) / 2)
        # Dimensions that never vary (a fixed wrist) stay at zero instead of being blown up.
        self.register_buffer("gain", torch.where(spread > 1e-3, 1 / spread.clamp_min(1e-3), 0.0))
        self.mlp = nn.Sequential(nn.Linear(len(low), hidden), nn.SiLU(), nn.Linear(hidden, features))

    def forward(
        self, proprio: Float[Tensor, "b t c"], noise: float = 0.0, generator: Generator | None = None
    ) -> Float[Tensor, "b t d"]:
        scaled = (proprio - self.centre) * self.gain
        if noise:
            drawn = torch.randn(scaled.shape, generator=generator, device=scaled.device)
            scaled = scaled + noise * drawn
        return self.mlp(scaled)
