"""Who sees whom in SSM-VLA ("Multi-modal Synergistic Attention"), as a boolean mask, and its transformer.

Tokens belong to segments in the order of the model's reasoning: what is known (history, words), the next
frame, the latent plan, the action. A token sees its own segment and those before it; within the latent plan
it sees only what is not later. Nothing is fed back, so a stage never depends on what it is the cause of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinesight.nn.transformer import Block, learned
from kinesight.types.errors import lookup


class Segment(IntEnum):
    """In the order of reasoning."""

    CORE = 0
    FRAME = 1
    LATENT = 2
    ACTION = 3


def structured_mask(segments: Sequence[Segment]) -> Bool[Tensor, "n n"]:
    """[query, key]: True where the query sees the key.

    The paper leaves open whether the queries of the next frame, and those of the action, see each other: here
    they do.
    """
    kind = torch.tensor([int(segment) for segment in segments])
    place = torch.arange(len(kind))
    earlier = kind[None, :] <= kind[:, None]
    both_latent = (kind[None, :] == Segment.LATENT) & (kind[:, None] == Segment.LATENT)
    return earlier & (~both_latent | (place[None, :] <= place[:, None]))


def causal_mask(segments: Sequence[Segment]) -> Bool[Tensor, "n n"]:
    """The paper's baseline ("Causal Atten."): every token sees itself and those before it, of any segment."""
    count = len(segments)
    return torch.ones(count, count, dtype=torch.bool).tril()


def with_padding(mask: Bool[Tensor, "n n"], valid: Bool[Tensor, "b n"]) -> Bool[Tensor, "b 1 n n"]:
    """No token sees a padded one, but each sees itself, so that every softmax is defined."""
    itself = torch.eye(len(mask), dtype=torch.bool, device=mask.device)
    return ((mask & valid[:, None, :]) | itself)[:, None]


ATTENTIONS: dict[str, Callable[[Sequence[Segment]], Tensor]] = {
    "structured": structured_mask,
    "causal": causal_mask,
}
"""By the name in a recipe."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What the transformer says, stage by stage."""

    frame: Float[Tensor, "b n d"]
    latent: Float[Tensor, "b m d"]
    action: Float[Tensor, "b q d"]


class StagedTransformer(nn.Module):
    """Core tokens, then learned queries of every stage, through one stack of masked blocks."""

    mask: Tensor

    def __init__(
        self, counts: Mapping[Segment, int], features: int, blocks: int, heads: int, attention: str
    ) -> None:
        super().__init__()
        self.counts = [counts[segment] for segment in Segment]
        segments = [segment for segment in Segment for _ in range(counts[segment])]
        self.place = learned(len(segments), features)
        self.queries = learned(len(segments) - counts[Segment.CORE], features)
        mask = lookup("attention", attention, ATTENTIONS)(segments)
        self.register_buffer("mask", mask, persistent=False)
        self.blocks = nn.ModuleList(Block(features, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(features)

    def forward(self, core: Float[Tensor, "b n d"], known: Bool[Tensor, "b n"]) -> Stages:
        """`known`: False for core tokens that stand for nothing."""
        asked = self.queries.to(core.dtype).expand(len(core), -1, -1)
        x = torch.cat([core, asked], dim=1) + self.place
        valid = torch.cat([known, known.new_ones(asked.shape[:2])], dim=1)
        mask = with_padding(self.mask, valid)
        for block in self.blocks:
            x = block(x, mask)
        _, frame, latent, action = self.norm(x).split(self.counts, dim=1)
        return Stages(frame, latent, action)
