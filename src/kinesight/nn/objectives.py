"""What a denoising network is trained to predict and how samples are drawn from it.

Three families behind one set of five methods, so that a model never asks which one it has:

* `FlowMatching`: straight paths x_s = s x + (1 - s) ε with velocity target x - ε, Euler steps from s = 0.
* `Diffusion`: variance-preserving chain with noise level ᾱ; ε, v = √ᾱ ε - √(1-ᾱ) x or x as target, DDIM.
* `Regression`: no noise and no chain; the network names the data at once, their mean where they vary.

A network always receives a noise level in [0, 1]: 0 is clean data, 1 is pure noise. It may predict the
target itself or the clean data, which `from_data` turns into the target's space: a network on coarse patches
has too few channels to carry every pixel's noise to its output, but enough for the data (Li and He, 2025).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from kinesight.types.errors import lookup

Network: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(noisy samples [b ...], noise levels [b]) -> prediction [b ...]."""

LEAST_NOISE = 0.1
"""Bound on the division by the noise level in `from_data`."""


@runtime_checkable
class Objective(Protocol):
    def draw_levels(self, count: int, generator: Generator) -> Float[Tensor, "b"]: ...
    def corrupt(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor: ...
    def target(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor: ...
    def from_data(self, data: Tensor, noisy: Tensor, levels: Tensor) -> Tensor: ...
    def sample(self, network: Network, noise: Tensor, steps: int) -> Tensor: ...


def _over(levels: Float[Tensor, "b"], like: Tensor) -> Tensor:
    """Levels with trailing axes of length one, to broadcast over `like`."""
    return levels.view(-1, *[1] * (like.ndim - 1)).to(like.dtype)


@dataclass(frozen=True, slots=True)
class FlowMatching:
    """Rectified flow; the noise level is 1 - s."""

    bias: float = 0.0
    """Mean of the levels' logits in training; above 0 there is more noise than data on average."""

    def draw_levels(self, count: int, generator: Generator) -> Float[Tensor, "b"]:
        """Logit-normal levels: most training where the prediction is hardest, not at the path's ends."""
        normal = torch.randn(count, generator=generator, device=generator.device)
        return torch.sigmoid(normal + self.bias)

    def corrupt(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        return torch.lerp(data, noise, _over(levels, data))

    def target(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        return data - noise

    def from_data(self, data: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
        return (data - noisy) / _over(levels, data).clamp_min(LEAST_NOISE)

    def sample(self, network: Network, noise: Tensor, steps: int) -> Tensor:
        """Euler integration from noise to data in equal steps."""
        sample = noise
        for i in range(steps):
            level = torch.full((len(noise),), 1 - i / steps, device=noise.device)
            sample = sample + network(sample, level) / steps
        return sample


@dataclass(frozen=True, slots=True)
class Diffusion:
    """DDPM chain of `chain` levels; trained on discrete levels, sampled by deterministic DDIM."""

    prediction: Literal["epsilon", "v", "x0"]
    schedule: Literal["linear", "cosine"] = "cosine"
    chain: int = 100
    clip: float | None = None
    """Bound on the predicted clean data while sampling."""

    def draw_levels(self, count: int, generator: Generator) -> Float[Tensor, "b"]:
        index = torch.randint(self.chain, (count,), generator=generator, device=generator.device)
        return (index + 1) / self.chain

    def alpha_bar(self, levels: Tensor) -> Tensor:
        """Signal power left at a noise level; exactly 1 at level 0."""
        if self.schedule == "cosine":
            return cosine_alpha_bar(levels)
        return linear_alpha_bar(levels, self.chain)

    def _signal_and_noise(self, levels: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = _over(self.alpha_bar(levels), like)
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def corrupt(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        signal, sigma = self._signal_and_noise(levels, data)
        return signal * data + sigma * noise

    def target(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "x0":
            return data
        signal, sigma = self._signal_and_noise(levels, data)
        return signal * noise - sigma * data

    def from_data(self, data: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
        if self.prediction == "x0":
            return data
        signal, sigma = self._signal_and_noise(levels, data)
        epsilon = (noisy - signal * data) / sigma.clamp_min(LEAST_NOISE)
        return epsilon if self.prediction == "epsilon" else signal * epsilon - sigma * data

    def split(self, prediction: Tensor, sample: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """The clean data and the noise that a prediction implies."""
        signal, sigma = self._signal_and_noise(levels, sample)
        if self.prediction == "epsilon":
            data = (sample - sigma * prediction) / signal
        elif self.prediction == "x0":
            data = prediction
        else:
            data = signal * sample - sigma * prediction
        if self.clip is not None:
            data = data.clamp(-self.clip, self.clip)
        return data, (sample - signal * data) / sigma

    def sample(self, network: Network, noise: Tensor, steps: int) -> Tensor:
        """DDIM (η = 0) over `steps` levels, the noisiest first."""
        sample = noise
        levels = torch.linspace(1, 0, steps + 1, device=noise.device)
        for now, following in pairwise(levels):
            level = now.expand(len(noise))
            data, epsilon = self.split(network(sample, level), sample, level)
            signal, sigma = self._signal_and_noise(following.expand(len(noise)), sample)
            sample = signal * data + sigma * epsilon
        return sample


@dataclass(frozen=True, slots=True)
class Regression:
    """Mean squared error of the data themselves; the network gets an empty sample at level 1."""

    def draw_levels(self, count: int, generator: Generator) -> Float[Tensor, "b"]:
        return torch.ones(count, device=generator.device)

    def corrupt(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        return torch.zeros_like(data)

    def target(self, data: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        return data

    def from_data(self, data: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
        return data

    def sample(self, network: Network, noise: Tensor, steps: int) -> Tensor:
        """One call, whatever `steps` says; the same for every noise."""
        return network(torch.zeros_like(noise), torch.ones(len(noise), device=noise.device))


def cosine_alpha_bar(levels: Tensor, offset: float = 0.008, floor: float = 1e-3) -> Tensor:
    """Squared-cosine schedule of Nichol and Dhariwal; `floor` keeps the noisiest level invertible for ε."""
    angle = (levels + offset) / (1 + offset) * (math.pi / 2)
    top = math.cos(offset / (1 + offset) * (math.pi / 2))
    return ((torch.cos(angle) / top) ** 2).clamp(floor, 1.0)


def linear_alpha_bar(levels: Tensor, chain: int, beta_start: float = 1e-4, beta_end: float = 2e-2) -> Tensor:
    """Product of 1 - β over linearly rising β, read at level · chain (levels lie on the chain).

    The bounds are those of a chain of 1000 (DDPM); a shorter chain takes longer steps to the same noise.
    """
    scale = 1000 / chain
    betas = torch.linspace(
        scale * beta_start, scale * beta_end, chain, dtype=torch.float64, device=levels.device
    )
    alpha_bars = torch.cat([betas.new_ones(1), torch.cumprod(1 - betas, 0)])
    return alpha_bars[(levels * chain).round().long()].to(levels.dtype)


OBJECTIVES: dict[str, Callable[[float], Objective]] = {
    "flow": lambda bound: FlowMatching(),
    "noisy-flow": lambda bound: FlowMatching(bias=1.5),
    "v": lambda bound: Diffusion("v"),
    "epsilon": lambda bound: Diffusion("epsilon", clip=bound),
    "epsilon-linear": lambda bound: Diffusion("epsilon", "linear", 1000, clip=bound),
    "x0": lambda bound: Diffusion("x0", clip=bound),
    "regression": lambda bound: Regression(),
}
"""By name; the bound is the largest magnitude that clean data have, to which predicted data are clipped.

"epsilon-linear" is the chain of Spatial Policy's video model: 1000 levels, β from 1e-4 to 0.02.
"""


def objective(name: str, bound: float = 1.0) -> Objective:
    """The objective with its usual settings; unknown names are answered with the list."""
    return lookup("objective", name, OBJECTIVES)(bound)


def with_guidance(conditioned: Network, unconditioned: Network, scale: float) -> Network:
    """Classifier-free guidance: scale 1 is the plain conditional network, 0 the unconditional one."""
    if scale == 1.0:
        return conditioned

    def guided(sample: Tensor, levels: Tensor) -> Tensor:
        free = unconditioned(sample, levels)
        return free + scale * (conditioned(sample, levels) - free)

    return guided
