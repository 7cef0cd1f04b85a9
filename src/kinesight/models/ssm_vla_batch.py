"""What SSM-VLA is given: past frames and words, and in training what comes next; how it is read from data."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, Integer, UInt8
from torch import Generator, Tensor

from kinesight.data.windows import CAMERA
from kinesight.interfaces.model import Windows
from kinesight.nn.pictures import draw_shifts, shifted
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.windows import Offsets, Take, WindowSpec


@dataclass(frozen=True, slots=True)
class SsmVlaBatch:
    """Network input; what is to be predicted only in training."""

    rgb: UInt8[Tensor, "b t y x 3"]
    """The past frames, the present one last."""
    seen: Bool[Tensor, "b t"]
    """False for a frame that stands in for one before the episode."""
    words: Int[Tensor, "b n"]
    proprio: Float[Tensor, "b t d"] | None = None
    """None for a model that learns from video alone."""
    second: UInt8[Tensor, "b t y x 3"] | None = None
    next_rgb: UInt8[Tensor, "b 1 y x 3"] | None = None
    next_depth_mm: Integer[Tensor, "b 1 y x"] | None = None
    next_valid: Bool[Tensor, "b 1"] | None = None
    codes: Integer[Tensor, "b k m"] | None = None
    actions: Float[Tensor, "b h a"] | None = None
    valid: Bool[Tensor, "b h"] | None = None


def gathered(windows: Windows, words: Int[Tensor, "b n"]) -> SsmVlaBatch:
    """The takes of `policy_windows`, or those of them that there are at test time."""
    values, valid = windows.values, windows.valid
    codes = values.get("codes")
    return SsmVlaBatch(
        rgb=values["rgb"],
        seen=valid["rgb"],
        words=words,
        proprio=values.get("proprio"),
        second=values.get("second"),
        next_rgb=values.get("next_rgb"),
        next_depth_mm=values.get("next_depth_mm"),
        next_valid=valid.get("next_rgb"),
        codes=None if codes is None else codes[:, 0],
        actions=values.get("action"),
        valid=valid.get("action"),
    )


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


def policy_windows(
    past: tuple[int, ...], second_view: str, imagined: tuple[int, bool] | None, codes: bool, horizon: int
) -> WindowSpec:
    """What an example is made of.

    Args:
        past: frames that are looked at, in steps from the present one.
        second_view: another camera that is looked at in all of them, or "".
        imagined: steps to the next frame, and whether its depth is wanted; None without a next frame.
        codes: whether the latent plan is learned.
        horizon: actions that are learned; 0 for none, and for no proprioception either.
    """
    seen, now = Offsets(past), Offsets((0,))
    takes = {"rgb": Take(f"rgb.{CAMERA}", seen)}
    if second_view:
        takes["second"] = Take(f"rgb.{second_view}", seen)
    if imagined is not None:
        steps, depth = imagined
        takes["next_rgb"] = Take(f"rgb.{CAMERA}", Offsets((steps,)))
        if depth:
            takes["next_depth_mm"] = Take(f"depth_mm.{CAMERA}", Offsets((steps,)))
    if codes:
        takes["codes"] = Take(f"codes.{CAMERA}", now)
    if horizon:
        takes["proprio"] = Take("proprio", seen)
        takes["action"] = Take("action", Offsets(tuple(range(horizon))))
    return WindowSpec(takes)


def main_cameras(second_view: str, facts: DataFacts) -> tuple[str, ...]:
    """Those that the first view is drawn from."""
    if not second_view:
        return facts.cameras
    if second_view not in facts.cameras or len(facts.cameras) < 2:
        raise UsageError(
            f"second_view is {second_view!r}, the data show {', '.join(facts.cameras)}; record it "
            'beside another camera, or go without it: second_view=""'
        )
    return tuple(camera for camera in facts.cameras if camera != second_view)
