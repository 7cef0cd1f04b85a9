"""Vector quantisation with a moving-average codebook and restart of dead codes.

A vector is replaced by its nearest code (Eq. 2 of Farsighted-LAM); gradients pass through as if it were not
(van den Oord et al., 2017). Vectors and codes have unit length, so that no encoder can please the commitment
by shrinking. Codes follow the mean of the vectors that chose them; one that hardly any vector chooses is put
on a vector of the present batch. A codebook of which no code was ever used begins that way.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kinesight.nn.reduce import of_first, summed


@dataclass(frozen=True, slots=True)
class Quantised:
    """Codes of some vectors."""

    codes: Int[Tensor, "b n"]
    vectors: Float[Tensor, "b n e"]
    """The codes' own vectors; gradients go to what was quantised."""
    commitment: Float[Tensor, "b n"]
    """Squared distance of what was quantised to its code; trains the encoder alone."""


class Quantiser(nn.Module):
    """Codebook [k e] as buffers: changed by looking at batches in training, never by the optimiser.

    Several processes have the same: they count the vectors of all their batches, and restart on the first's.
    """

    codebook: Tensor
    sums: Tensor
    uses: Tensor

    def __init__(self, codes: int, features: int, decay: float = 0.98, dead_below: float = 0.1) -> None:
        """A code is dead whose share of the vectors is below `dead_below` of an even share."""
        super().__init__()
        self.codes, self.decay, self.dead_below = codes, decay, dead_below
        self.register_buffer("codebook", F.normalize(torch.randn(codes, features), dim=-1))
        self.register_buffer("sums", torch.zeros(codes, features))
        self.register_buffer("uses", torch.zeros(codes))

    def forward(
        self,
        vectors: Float[Tensor, "b n e"],
        counted: Bool[Tensor, "b n"] | None = None,
        generator: Generator | None = None,
    ) -> Quantised:
        """`counted`: vectors that may change the codebook (default: all); only in training it changes."""
        with torch.autocast(vectors.device.type, enabled=False):
            unit = F.normalize(vectors.float(), dim=-1)
            if self.training:
                assert generator is not None, "a codebook that is trained draws its restarts"
                self._learn(unit.detach(), counted, generator)
            codes = self.nearest(unit)
            chosen = self.codebook[codes]
            commitment = (unit - chosen).square().sum(-1)
            return Quantised(codes, unit + (chosen - unit).detach(), commitment)

    def nearest(self, unit: Float[Tensor, "... e"]) -> Int[Tensor, "..."]:
        """On the unit sphere the nearest code is the one with the largest product."""
        return (unit @ self.codebook.T).argmax(-1)

    def embed(self, codes: Int[Tensor, "..."]) -> Float[Tensor, "... e"]:
        return self.codebook[codes]

    @torch.no_grad()
    def _learn(
        self, unit: Float[Tensor, "b n e"], counted: Bool[Tensor, "b n"] | None, generator: Generator
    ) -> None:
        flat = unit.flatten(0, 1)
        weight = torch.ones(len(flat), device=flat.device) if counted is None else counted.flatten().float()
        weight = weight * (flat != 0).any(-1)  # what has no direction, as where nothing moves, makes no code
        self._restart(flat, weight, generator)
        chosen = F.one_hot(self.nearest(flat), self.codes) * weight[:, None]
        total = summed(weight.sum())
        pace = (1 - self.decay) * (total > 0)  # a batch without a vector says nothing of what is used
        self.uses.lerp_(summed(chosen.sum(0)) / total.clamp_min(1), pace)
        self.sums.lerp_(summed(chosen.T @ flat) / total.clamp_min(1), pace)
        # A code at the mean of opposite vectors has no direction; it stays, and loses them to others.
        moved = F.normalize(self.sums, dim=-1)
        self.codebook.copy_(torch.where(self.sums.norm(dim=-1, keepdim=True) > 1e-6, moved, self.codebook))

    def _restart(self, flat: Float[Tensor, "m e"], weight: Float[Tensor, "m"], generator: Generator) -> None:
        """Dead codes begin again on counted vectors of the batch, each on another one if there are enough."""
        even = 1 / self.codes
        dead = (self.uses < self.dead_below * even) & (of_first(weight.sum()) > 0)
        drawn = torch.rand(len(flat), generator=generator, device=generator.device).to(flat.device)
        order = (drawn * weight).argsort(descending=True)
        # Ranks beyond the counted vectors start over.
        rank = torch.arange(self.codes, device=flat.device) % weight.sum().clamp_min(1).long()
        begun = of_first(flat[order[rank]])
        self.codebook.copy_(torch.where(dead[:, None], begun, self.codebook))
        self.sums.copy_(torch.where(dead[:, None], begun * even, self.sums))
        self.uses.copy_(torch.where(dead, torch.full_like(self.uses, even), self.uses))


def perplexity(codes: Int[Tensor, "..."], size: int) -> float:
    """exp of the entropy of the codes' frequencies: `size` if all are used alike, 1 if one is."""
    shares = torch.bincount(codes.flatten(), minlength=size).double()
    shares = shares[shares > 0] / shares.sum()
    return math.exp(float(-(shares * shares.log()).sum()))
