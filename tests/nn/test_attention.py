"""Attention in the precision of the device: the same result, the given type, gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kinesight.nn.attention import attend


def _tokens(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(3, 2, 4, 7, 8, generator=generator).to(dtype)
    return [part.clone().requires_grad_() for part in drawn]


def _mask() -> Tensor:
    return torch.rand(2, 1, 7, 7, generator=torch.Generator().manual_seed(1)) < 0.5


@pytest.mark.parametrize("how", [{}, {"mask": _mask() | torch.eye(7, dtype=torch.bool)}, {"causal": True}])
def test_half_precision_attends_as_exactly_as_its_inputs_allow(how: dict[str, object]) -> None:
    half, exact = _tokens(torch.bfloat16), _tokens(torch.bfloat16)
    said = attend(*half, **how)  # type: ignore[arg-type]
    wanted = F.scaled_dot_product_attention(
        *(part.float() for part in exact),
        attn_mask=how.get("mask"),  # type: ignore[arg-type]
        is_causal=bool(how.get("causal")),
    )
    assert said.dtype == torch.bfloat16
    assert torch.equal(said, wanted.to(torch.bfloat16))
    for part in torch.autograd.grad(said.float().square().sum(), half):
        assert part.dtype == torch.bfloat16
        assert part.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_autocast_does_not_take_the_precision_away_again(dtype: torch.dtype) -> None:
    wanted = attend(*_tokens(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        said = attend(*_tokens(dtype))
    assert said.dtype == dtype
    assert torch.equal(said, wanted)
