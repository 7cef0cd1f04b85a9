"""A space-time U-Net for short videos that is quick on a CPU.

Frames are folded into the batch for 2D convolutions and mixed in time by 1D convolutions: nn.Conv3d is
several times slower on a CPU. A patchified input (pixel-unshuffle) moves the work to a coarser grid. The
lowest level attends over all tokens of space and time. The condition enters every block by FiLM; tokens of
a condition, where there are any, are looked at by the lowest level only.
"""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinesight.nn.layers import FiLM, GatedCrossAttention, TransformerBlock, group_norm


class SpaceTimeBlock(nn.Module):
    """Residual block: spatial 3x3, temporal 3, FiLM, spatial 3x3."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm_in = group_norm(inputs)
        self.space_in = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Conv2d(outputs, outputs, (3, 1), padding=(1, 0))
        nn.init.dirac_(self.time.weight)
        nn.init.zeros_(self.time.bias)  # type: ignore[arg-type]
        self.norm_out = group_norm(outputs)
        self.film = FiLM(condition, outputs)
        self.space_out = nn.Conv2d(outputs, outputs, 3, padding=1)
        nn.init.zeros_(self.space_out.weight)
        nn.init.zeros_(self.space_out.bias)  # type: ignore[arg-type]
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor, frames: int) -> Tensor:
        """x: [(b t) c y x]; condition: [(b t) d]."""
        h = self.space_in(F.silu(self.norm_in(x)))
        h = self._mix_in_time(h, frames)
        h = F.silu(self.film(self.norm_out(h), condition))
        return self.skip(x) + self.space_out(h)

    def _mix_in_time(self, x: Tensor, frames: int) -> Tensor:
        _, _, height, width = x.shape
        x = rearrange(x, "(b t) c y x -> b c t (y x)", t=frames)
        x = self.time(x)
        return rearrange(x, "b c t (y x) -> (b t) c y x", y=height, x=width)


class VideoUNet(nn.Module):
    """Noisy frames beside the first frame -> `outputs` channels for every pixel of the frames."""

    def __init__(
        self,
        channels: int,
        outputs: int,
        context_channels: int,
        condition: int,
        base: int,
        multipliers: tuple[int, ...],
        blocks: int,
        patch: int,
        frames: int,
        grid: tuple[int, int],
        depth: int = 4,
        heads: int = 4,
        tokens: int = 0,
    ) -> None:
        """`tokens`: features of the condition's tokens; 0 builds a network that takes none."""
        super().__init__()
        self.patch = patch
        widths = [base * m for m in multipliers]
        patched = patch * patch * (channels + context_channels)
        self.stem = nn.Conv2d(patched, widths[0], 3, padding=1)
        self.frame = nn.Parameter(torch.randn(frames, condition) * 0.02)

        self.down = nn.ModuleList()
        self.downsample = nn.ModuleList()
        skips = [widths[0]]
        inputs = widths[0]
        for level, width in enumerate(widths):
            for _ in range(blocks):
                self.down.append(SpaceTimeBlock(inputs, width, condition))
                inputs = width
                skips.append(width)
            if level + 1 < len(widths):
                self.downsample.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                skips.append(width)

        lowest = widths[-1]
        self.middle_in = SpaceTimeBlock(lowest, lowest, condition)
        self.position = nn.Parameter(torch.randn(frames, *grid, lowest) * 0.02)
        self.attention = nn.ModuleList(TransformerBlock(lowest, heads, condition) for _ in range(depth))
        self.middle_out = SpaceTimeBlock(lowest, lowest, condition)

        self.up = nn.ModuleList()
        self.upsample = nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                self.up.append(SpaceTimeBlock(inputs + skips.pop(), width, condition))
                inputs = width
            if level:
                self.upsample.append(nn.Conv2d(width, width, 3, padding=1))
        self.head = nn.Sequential(
            group_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, patch * patch * outputs, 3, padding=1)
        )
        # Built last: whatever else the network holds begins the same with tokens and without.
        self.local = nn.ModuleList(
            GatedCrossAttention(lowest, heads, tokens) for _ in range(depth if tokens else 0)
        )
        self.blocks, self.levels = blocks, len(widths)

    def forward(
        self,
        noisy: Float[Tensor, "b t c y x"],
        context: Float[Tensor, "b e y x"],
        condition: Float[Tensor, "b d"],
        tokens: Float[Tensor, "b k f"] | None = None,
        valid: Bool[Tensor, "b k"] | None = None,
        told: Float[Tensor, "b t d"] | None = None,
        marks: Float[Tensor, "b t m y x"] | None = None,
    ) -> Float[Tensor, "b t _ y x"]:
        """`tokens` and which of them are valid: for a network that was built to take them. What is known of
        single frames joins the condition (`told`) and the context (`marks`, counted as its channels)."""
        b, t = noisy.shape[:2]
        repeated = context[:, None].expand(-1, t, -1, -1, -1)
        seen = [noisy, repeated] if marks is None else [noisy, repeated, marks]
        x = F.pixel_unshuffle(torch.cat(seen, dim=2).flatten(0, 1), self.patch)
        x = x.contiguous(memory_format=torch.channels_last)
        by_frame = condition[:, None] + self.frame[:t]
        per_frame = F.silu(by_frame if told is None else by_frame + told).flatten(0, 1)
        x = self._run(self.stem(x), per_frame, F.silu(condition), t, tokens, valid)
        return F.pixel_shuffle(self.head(x), self.patch).unflatten(0, (b, t))

    def _run(
        self,
        x: Tensor,
        condition: Tensor,
        shared: Tensor,
        frames: int,
        tokens: Tensor | None,
        valid: Tensor | None,
    ) -> Tensor:
        """condition: [(b t) d] by frame; shared: [b d]."""
        skips = [x]
        down = iter(self.down)
        for level in range(self.levels):
            for _ in range(self.blocks):
                x = next(down)(x, condition, frames)
                skips.append(x)
            if level + 1 < self.levels:
                x = self.downsample[level](x)
                skips.append(x)

        x = self.middle_in(x, condition, frames)
        x = self._attend(x, shared, frames, tokens, valid)
        x = self.middle_out(x, condition, frames)

        up = iter(self.up)
        for level in range(self.levels):
            for _ in range(self.blocks + 1):
                x = next(up)(torch.cat([x, skips.pop()], dim=1), condition, frames)
            if level + 1 < self.levels:
                x = F.interpolate(self.upsample[level](x), scale_factor=2.0, mode="nearest")
        return x

    def _attend(
        self, x: Tensor, condition: Tensor, frames: int, tokens: Tensor | None, valid: Tensor | None
    ) -> Tensor:
        _, _, height, width = x.shape
        x = rearrange(x, "(b t) c y x -> b (t y x) c", t=frames)
        x = x + rearrange(self.position[:frames], "t y x c -> (t y x) c")
        for place, block in enumerate(self.attention):
            x = block(x, condition)
            if self.local:
                assert tokens is not None, "this network was built to take tokens"
                assert valid is not None, "tokens come with their validity"
                x = self.local[place](x, tokens, valid)
        return rearrange(x, "b (t y x) c -> (b t) c y x", t=frames, y=height, x=width)


def coarsest_edge(size: int, patch: int, multipliers: tuple[int, ...]) -> int:
    """Edge of the lowest level's grid for an image edge of `size` pixels; 0 if it does not come out even."""
    factor = patch * 2 ** (len(multipliers) - 1)
    return 0 if size % factor else size // factor
