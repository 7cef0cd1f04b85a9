"""Vectors of mean zero and variance one in every dimension, over the batch in training, as met so far after.

What a codebook looks up is spread out first: an encoder that says nearly the same of everything still gets
different codes for what differs.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinesight.nn.reduce import summed


class Standardise(nn.Module):
    """Statistics of each frame, place and feature, of counted vectors alone; nothing in it is learned.

    It is batch normalisation (Ioffe & Szegedy, 2015) that can leave vectors out and that begins with the
    statistics of its first batch. By frame, since otherwise what tells one frame from the next, which is the
    same in every example, outweighs what tells examples apart, and codes name the frame. Several processes
    have one batch: statistics are of all their vectors.
    """

    mean: Tensor
    variance: Tensor
    begun: Tensor

    def __init__(
        self, frames: int, places: int, features: int, decay: float = 0.95, least: float = 1e-5
    ) -> None:
        super().__init__()
        self.decay, self.least = decay, least
        self.register_buffer("mean", torch.zeros(frames, places, features))
        self.register_buffer("variance", torch.ones(frames, places, features))
        self.register_buffer("begun", torch.zeros(frames, 1, 1))

    def forward(
        self, vectors: Float[Tensor, "b t n e"], counted: Bool[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b t n e"]:
        """The first t frames. `counted`: rows that the statistics are of (default: all).

        For a frame with fewer than two of them, which have no spread, and outside of training what was met so
        far takes their place.
        """
        frames = vectors.shape[1]
        mean, variance = self.mean[:frames], self.variance[:frames]
        if self.training:
            weight = vectors.new_ones(vectors.shape[:2]) if counted is None else counted.to(vectors.dtype)
            mean, variance = self._of_batch(vectors, weight[..., None, None])
        return (vectors - mean) * (variance + self.least).rsqrt()

    def _of_batch(self, vectors: Tensor, weight: Float[Tensor, "b t 1 1"]) -> tuple[Tensor, Tensor]:
        """The batch's statistics where it has some, and the buffers moved towards them."""
        frames, count = vectors.shape[1], summed(weight.sum(0))
        mean = summed((vectors * weight).sum(0)) / count.clamp_min(1)
        variance = summed(((vectors - mean).square() * weight).sum(0)) / count.clamp_min(1)
        enough = count >= 2
        begun = self.begun[:frames] > 0
        share = enough * torch.where(begun, 1 - self.decay, 1.0)
        with torch.no_grad():
            self.mean[:frames] = torch.lerp(self.mean[:frames], mean, share)
            self.variance[:frames] = torch.lerp(self.variance[:frames], variance, share)
            self.begun[:frames] = (begun | enough).to(self.begun.dtype)
        kept = self.mean[:frames].clone(), self.variance[:frames].clone()
        return torch.where(enough, mean, kept[0]), torch.where(enough, variance, kept[1])
