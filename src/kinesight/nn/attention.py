"""Scaled dot-product attention, in the precision in which the device is fast."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def attend(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b h m d"],
    v: Float[Tensor, "b h m d"],
    mask: Bool[Tensor, "..."] | None = None,
    causal: bool = False,
) -> Float[Tensor, "b h n d"]:
    """Values of what each query sees, averaged; `mask`: [n m] or [b 1 n m], True where it may look.

    On a CPU at least in float32, whatever the autocast: PyTorch's kernel goes back through bfloat16 more
    slowly there, the more so the fewer tokens there are (bench/attention.py).
    """
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    exact = torch.promote_types(q.dtype, torch.float32)
    with torch.autocast("cpu", enabled=False):
        attended = F.scaled_dot_product_attention(
            q.to(exact), k.to(exact), v.to(exact), attn_mask=mask, is_causal=causal
        )
    return attended.to(q.dtype)
