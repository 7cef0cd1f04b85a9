"""A small vision transformer on image patches (Dosovitskiy et al., 2021), trained here."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from kinesight.nn.transformer import Block, learned
from kinesight.types.errors import UsageError


@dataclass(frozen=True, slots=True)
class VitConfig:
    """Sizes of the transformer."""

    patch: int = 8
    """Edge of a patch [px]."""
    features: int = 128
    blocks: int = 4
    heads: int = 4

    def __post_init__(self) -> None:
        if min(self.patch, self.features, self.blocks, self.heads) < 1 or self.features % self.heads:
            raise UsageError(f"a ViT needs sizes of at least 1 and features that heads divide, got {self}")

    def build(self, size: tuple[int, int]) -> "Vit":
        """For pictures of this height and width."""
        return Vit(self, size)


class Vit(nn.Module):
    """Pictures -> one token a patch."""

    def __init__(self, config: VitConfig, size: tuple[int, int]) -> None:
        super().__init__()
        self.config = config
        self.grid = patch_grid(size, config.patch)
        self.tokens, self.features = self.grid[0] * self.grid[1], config.features
        self.patches = nn.Linear(3 * config.patch**2, config.features)
        self.position = learned(self.tokens, config.features)
        self.blocks = nn.ModuleList(Block(config.features, config.heads) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.features)

    def forward(
        self, pictures: Float[Tensor, "b 3 y x"], kept: Int[Tensor, "b m"] | None = None
    ) -> Float[Tensor, "b n d"]:
        """Of all patches, or of those that are kept (masked autoencoding)."""
        tokens = self.patches(as_patches(pictures, self.config.patch)) + self.position
        if kept is not None:
            tokens = pick(tokens, kept)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


def patch_grid(size: tuple[int, int], patch: int) -> tuple[int, int]:
    """Rows and columns of patches."""
    if size[0] % patch or size[1] % patch:
        raise UsageError(
            f"pictures of {size[0]} x {size[1]} px cannot be cut into patches of {patch} x {patch} px"
        )
    return size[0] // patch, size[1] // patch


def as_patches(pictures: Float[Tensor, "b c y x"], patch: int) -> Float[Tensor, "b n e"]:
    return rearrange(pictures, "b c (y p) (x q) -> b (y x) (c p q)", p=patch, q=patch)


def from_patches(
    tokens: Float[Tensor, "b n e"], patch: int, grid: tuple[int, int]
) -> Float[Tensor, "b c y x"]:
    """Inverse of `as_patches`."""
    return rearrange(tokens, "b (y x) (c p q) -> b c (y p) (x q)", p=patch, q=patch, y=grid[0], x=grid[1])


def pick(tokens: Float[Tensor, "b n d"], places: Int[Tensor, "b m"]) -> Float[Tensor, "b m d"]:
    return torch.gather(tokens, 1, places[..., None].expand(-1, -1, tokens.shape[-1]))
