"""A flow-matching head over action chunks: a DiT that is told a context (SSM-VLA, Eq. 13).

A sample moves along x = τ a + (1 - τ) ε with the velocity a - ε. As printed, Eq. 13 has the opposite sign,
with which its own path leads away from the action.
"""

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from kinesight.nn.dit import ActionDiT
from kinesight.nn.objectives import FlowMatching


class FlowHead(nn.Module):
    """Context -> actions."""

    def __init__(
        self, actions: int, horizon: int, condition: int, features: int, blocks: int, heads: int
    ) -> None:
        super().__init__()
        self.shape = (horizon, actions)
        self.objective = FlowMatching()
        self.dit = ActionDiT(actions, horizon, condition, features, blocks, heads)

    def loss(
        self,
        context: Float[Tensor, "b d"],
        actions: Float[Tensor, "b h a"],
        valid: Bool[Tensor, "b h"],
        draws: int,
        generator: Generator,
    ) -> Float[Tensor, "b"]:
        """Squared error of the velocity, a mean over valid actions and over several draws of noise."""
        context, actions, valid = (each.repeat_interleave(draws, 0) for each in (context, actions, valid))
        noise = torch.randn(actions.shape, generator=generator, device=generator.device).to(actions.device)
        levels = self.objective.draw_levels(len(actions), generator).to(actions.device)
        noisy = self.objective.corrupt(actions, noise, levels)
        error = self.dit(noisy, levels, context).float() - self.objective.target(actions, noise, levels)
        weight = valid[..., None].float()
        count = (weight.sum((1, 2)) * actions.shape[-1]).clamp_min(1)
        return ((error.square() * weight).sum((1, 2)) / count).view(-1, draws).mean(1)

    def sample(
        self, context: Float[Tensor, "b d"], steps: int, generator: Generator
    ) -> Float[Tensor, "b h a"]:
        noise = torch.randn((len(context), *self.shape), generator=generator, device=generator.device)
        return self.objective.sample(
            lambda noisy, levels: self.dit(noisy, levels, context), noise.to(context.device), steps
        )
