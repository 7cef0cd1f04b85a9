"""Vectors of mean zero and variance one in every dimension, over the batch in training, as met so far after.

What a codebook looks up is spread out first: an encoder that says nearly the same of everything still gets
different codes for what differs.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Standardise(nn.Module):
    """Statistics of each of `places` and each feature, of counted vectors alone; nothing in it is learned.

    It is batch normalisation (Ioffe & Szegedy, 2015) that can leave vectors out and that begins with the
    statistics of its first batch.
    """

    mean: Tensor
    variance: Tensor
    begun: Tensor

    def __init__(self, places: int, features: int, decay: float = 0.98, least: float = 1e-5) -> None:
        super().__init__()
        self.decay, self.least = decay, least
        self.register_buffer("mean", torch.zeros(places, features))
        self.register_buffer("variance", torch.ones(places, features))
        self.register_buffer("begun", torch.zeros(()))

    def forward(
        self, vectors: Float[Tensor, "... n e"], counted: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "... n e"]:
        """`counted`: rows that the statistics are of (default: all). With fewer than two of them, which have
        no spread, and outside of training what was met so far takes their place."""
        flat = vectors.flatten(0, -3)
        known = flat if counted is None else flat[counted.flatten()]
        if not self.training or len(known) < 2:
            return (vectors - self.mean) * (self.variance + self.least).rsqrt()
        mean, variance = known.mean(0), known.var(0, unbiased=False)
        with torch.no_grad():
            share = torch.where(self.begun > 0, 1 - self.decay, 1.0)
            self.mean.lerp_(mean, share)
            self.variance.lerp_(variance, share)
            self.begun.fill_(1.0)
        return (vectors - mean) * (variance + self.least).rsqrt()
