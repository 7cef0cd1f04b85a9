"""Frozen features that need no download: a small ViT, trained by masked autoencoding (He et al., 2022).

A quarter of a picture's patches is shown, the others are drawn from it, each normalised by its own mean and
spread. It stands where Farsighted-LAM has DINOv2: what that paper says of DINOv2's geometry is not tested by
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Generator, Tensor, nn

from kinesight.interfaces.model import Stream, Windows
from kinesight.nn.layers import to_unit
from kinesight.nn.pictures import draw_shifts, resized, shifted
from kinesight.nn.transformer import Block, learned
from kinesight.nn.vit import VitConfig, as_patches, pick
from kinesight.types.checks import check_at_least, check_heads
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.windows import Offsets, Take, WindowSpec


@dataclass(frozen=True, slots=True)
class MaskedAutoencoderConfig:
    """Sizes and data."""

    source: str = "demos"
    batch_size: int = 64
    size: int = 64
    """Edge at which pictures are looked at [px]; 0 for the data's own."""
    vit: VitConfig = field(default_factory=VitConfig)
    mask: float = 0.75
    """Share of the patches that are hidden."""
    features: int = 64
    """Of the decoder, which is thrown away."""
    blocks: int = 1
    heads: int = 4
    shift: int = 4
    """Random shift of the pictures in training [px]."""

    def __post_init__(self) -> None:
        check_at_least(self, 1, "batch_size", "blocks")
        check_at_least(self, 0, "size", "shift")
        check_heads(self)
        if not 0 < self.mask < 1:
            raise UsageError(f"mask must lie between 0 and 1, got {self.mask}")

    def build(self, facts: DataFacts) -> "MaskedAutoencoder":
        return MaskedAutoencoder(self, facts)


class MaskedAutoencoder(nn.Module):
    """`vit` is what is used later."""

    loss_weights: Mapping[str, float] = {"patches": 1.0}

    def __init__(self, config: MaskedAutoencoderConfig, facts: DataFacts) -> None:
        super().__init__()
        self.config, self.facts = config, facts
        self.size = (config.size, config.size) if config.size else facts.image_size
        self.spec = WindowSpec({"rgb": Take("rgb.{camera}", Offsets((0,)))})
        self.streams = {"features": Stream(config.source, self.spec, config.batch_size)}
        self.vit = config.vit.build(self.size)
        self.shown = max(1, round((1 - config.mask) * self.vit.tokens))
        if self.shown == self.vit.tokens:
            raise UsageError(f"mask hides {config.mask:g} of {self.vit.tokens} patches, which is none")
        self.inputs = nn.Linear(self.vit.features, config.features)
        self.hidden = learned(config.features)
        self.position = learned(self.vit.tokens, config.features)
        self.blocks = nn.ModuleList(Block(config.features, config.heads) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.features)
        self.out = nn.Linear(config.features, 3 * config.vit.patch**2)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())}]

    def collate(self, stream: str, windows: Windows) -> UInt8[Tensor, "b 1 y x 3"]:
        return windows.values["rgb"]

    def loss(
        self, stream: str, batch: UInt8[Tensor, "b 1 y x 3"], generator: Generator
    ) -> dict[str, Float[Tensor, "b"]]:
        """Squared error of the hidden patches, each normalised."""
        device = batch.device
        moved = shifted(batch, draw_shifts(len(batch), self.config.shift, generator, device))
        pictures = resized(to_unit(moved), self.size)[:, 0]
        noise = torch.rand((len(batch), self.vit.tokens), generator=generator, device=generator.device)
        order = noise.to(device).argsort(dim=1)
        shown, hidden = order[:, : self.shown], order[:, self.shown :]
        visible = self.inputs(self.vit(pictures, shown))
        tokens = torch.cat([visible, self.hidden.expand(len(batch), hidden.shape[1], -1)], dim=1)
        tokens = tokens + self.position[order]
        for block in self.blocks:
            tokens = block(tokens)
        drawn = self.out(self.norm(tokens[:, self.shown :])).float()
        wanted = pick(as_patches(pictures, self.config.vit.patch), hidden)
        spread = wanted.var(dim=-1, keepdim=True, unbiased=False)
        wanted = (wanted - wanted.mean(dim=-1, keepdim=True)) / (spread + 1e-4).sqrt()
        return {"patches": (drawn - wanted).square().mean((1, 2))}
