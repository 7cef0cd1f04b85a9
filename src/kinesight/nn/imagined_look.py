"""Gives a recorded goal the look of an imagined one, so that a policy trained on recordings can follow it.

In an imagined frame the background is the first frame's and sharp; only what moves is drawn anew, smaller and
softly, and what has moved away still shines through. A blur of the whole picture teaches something else.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn import functional as F

MOVED = 0.1
"""Difference between goal and present, of a range of 2, from which a pixel counts as moved."""
DRAWN_AT = (0.3, 0.7)
"""Least and greatest size at which what moved is drawn, as a share of the picture's edge."""
MOST_GHOST = 0.3
"""The present shines through with up to this share."""
NOISE = 0.04


def imagined_look(
    goal: Float[Tensor, "b 3 y x"], current: Float[Tensor, "b 3 y x"], generator: Generator
) -> Float[Tensor, "b 3 y x"]:
    """The goals with everything that differs from the present redrawn, colours in [-1, 1].

    How softly is drawn once for all, how much shines through for every example.
    """
    share = DRAWN_AT[0] + (DRAWN_AT[1] - DRAWN_AT[0]) * float(_uniform((1,), generator, goal.device))
    size = [max(round(share * side), 1) for side in goal.shape[-2:]]
    small = F.interpolate(goal, size, mode="bilinear", align_corners=False, antialias=True)
    soft = F.interpolate(small, goal.shape[-2:], mode="bilinear", align_corners=False)
    ghost = MOST_GHOST * _uniform((len(goal), 1, 1, 1), generator, goal.device)
    noise = torch.randn(goal.shape, generator=generator, device=generator.device).to(goal.device)
    drawn = torch.lerp(soft, current, ghost) + NOISE * noise
    return torch.lerp(goal, drawn, _moved(goal, current))


def _moved(goal: Float[Tensor, "b 3 y x"], current: Float[Tensor, "b 3 y x"]) -> Float[Tensor, "b 1 y x"]:
    """1 where goal and present differ, grown by three pixels, with a soft border."""
    apart = (goal - current).abs().amax(1, keepdim=True) > MOVED
    return F.avg_pool2d(F.max_pool2d(apart.float(), 7, stride=1, padding=3), 5, stride=1, padding=2)


def _uniform(shape: tuple[int, ...], generator: Generator, device: torch.device) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device).to(device)
