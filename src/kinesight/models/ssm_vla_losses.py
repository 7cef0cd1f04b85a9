"""Two of SSM-VLA's three losses, those of the next frame (Eq. 8) and of the latent plan (Eq. 11).

The third, of the actions, is the flow-matching head's own (`nn/flow_head.py`).
"""

from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn import functional as F

from kinesight.models.latent_codes import PAST_THE_END
from kinesight.nn.reduce import summed
from kinesight.nn.rgbd import Frames, colour_error, depth_error

LEAST_CHANGE = 1e-4
"""Of a picture, as a mean square, where the error of the next frame is measured by it."""


def next_frame_errors(
    drawn: Frames,
    now: Float[Tensor, "b 3 y x"],
    wanted: Float[Tensor, "b 3 y x"],
    wanted_depth_m: Float[Tensor, "b 1 y x"] | None,
    inside: Bool[Tensor, "b"],
) -> dict[str, Float[Tensor, "b"]]:
    """Eq. 8, its two parts apart, both in units of the colour error of repeating the present frame.

    The paper's weight belongs to a loss of about one (that of normalised pixels, in the code it builds on).
    Little of a picture moves in a few steps: in plain units the whole loss is some thousandths, and nothing
    would learn from it. Depth is drawn everywhere, not pasted over a known one, and has the same unit so that
    Eq. 6's balance of the two holds; its number is large beside that of the colours, its weight small. Frames
    that are not `inside` their episode count nothing.
    """
    copied = summed((colour_error(now, wanted) * inside).sum()) / summed(inside.sum()).clamp_min(1)
    unit = copied.clamp_min(LEAST_CHANGE)
    errors = {"rgb": colour_error(drawn.rgb, wanted) * inside / unit}
    if drawn.depth_m is not None:
        assert wanted_depth_m is not None, "a training batch holds the next depth"
        errors["depth"] = depth_error(drawn.depth_m, wanted_depth_m, wanted) * inside / unit
    return errors


def plan_error(logits: Float[Tensor, "b m codes"], wanted: Integer[Tensor, "b k n"]) -> Float[Tensor, "b"]:
    """Eq. 11: the sum over all codes of the plan; those of key frames past the end count nothing."""
    each = F.cross_entropy(
        logits.float().transpose(1, 2),
        wanted.flatten(1).long(),
        ignore_index=PAST_THE_END,
        reduction="none",
    )
    return each.sum(1)
