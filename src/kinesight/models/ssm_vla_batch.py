"""What SSM-VLA is given: past frames and words, and in training what comes next."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, Integer, UInt8
from torch import Generator, Tensor

from kinesight.nn.pictures import draw_shifts, shifted


@dataclass(frozen=True, slots=True)
class SsmVlaBatch:
    """Network input; what is to be predicted only in training."""

    rgb: UInt8[Tensor, "b t y x 3"]
    """The past frames, the present one last."""
    seen: Bool[Tensor, "b t"]
    """False for a frame that stands in for one before the episode."""
    proprio: Float[Tensor, "b t d"]
    words: Int[Tensor, "b n"]
    second: UInt8[Tensor, "b t y x 3"] | None = None
    next_rgb: UInt8[Tensor, "b 1 y x 3"] | None = None
    next_depth_mm: Integer[Tensor, "b 1 y x"] | None = None
    next_valid: Bool[Tensor, "b 1"] | None = None
    codes: Integer[Tensor, "b k m"] | None = None
    actions: Float[Tensor, "b h a"] | None = None
    valid: Bool[Tensor, "b h"] | None = None


def randomly_shifted(batch: SsmVlaBatch, most: int, generator: Generator) -> SsmVlaBatch:
    """All pictures of an example moved alike by up to `most` pixels."""
    if not most:
        return batch
    moves = draw_shifts(len(batch.rgb), most, generator, batch.rgb.device)
    depth_mm = batch.next_depth_mm
    return replace(
        batch,
        rgb=shifted(batch.rgb, moves),
        second=None if batch.second is None else shifted(batch.second, moves),
        next_rgb=None if batch.next_rgb is None else shifted(batch.next_rgb, moves),
        next_depth_mm=None if depth_mm is None else shifted(depth_mm.to(torch.int32), moves),
    )
