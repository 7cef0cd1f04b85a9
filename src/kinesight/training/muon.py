"""Muon: momentum whose matrix is made orthogonal before it is applied (Jordan et al., 2024).

AdamW scales every number of a gradient by itself; a hidden layer's gradient is dominated by few directions,
and the rest is learned late. An orthogonal update moves all directions alike. Our video model gets by with a
fraction of AdamW's steps, which on a CPU are most of the waiting (figures: docs/methods/spatial_policy.md).
A convolution counts as the matrix of its outputs by all of its inputs.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Of the published implementation: five steps bring singular values from (0.002, 1) to about (0.7, 1.2)."""
NEWTON_SCHULZ_STEPS = 5
LEAST_EDGE = 16
"""Thinner matrices (a head with few outputs, a projection of coordinates) are left to AdamW."""


def orthogonal(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """About U Vᵀ of the singular value decomposition U S Vᵀ, by Newton-Schulz steps.

    A step multiplies X by a polynomial of X Xᵀ. All of them commute, so the steps are taken on that matrix,
    whose edge is the shorter one of X, and X is multiplied once.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    x = matrix / (matrix.norm() + 1e-7)
    gram = x @ x.T
    factor = _polynomial(gram)
    step = factor
    for _ in range(NEWTON_SCHULZ_STEPS - 1):
        gram = step @ (step @ gram)
        step = _polynomial(gram)
        factor = step @ factor
    return factor @ x


def _polynomial(gram: Float[Tensor, "m m"]) -> Float[Tensor, "m m"]:
    a, b, c = QUINTIC
    step = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    step.diagonal().add_(a)
    return step


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal; for weights of hidden layers, of two axes and more.

    `lr` is in units of an orthogonal matrix, so it suits layers of every size: 0.02 is usual. Decay is
    decoupled, as in AdamW.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        assert closure is None, "the training loop computes gradients itself"
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)

    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = orthogonal(gradient.lerp(momentum, group["momentum"]).flatten(1).float())
        # A matrix with more outputs than inputs has fewer, larger entries in its orthogonal form.
        scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(update.reshape(weight.shape).to(weight.dtype), alpha=-group["lr"] * scale)


def hidden_weights(model: nn.Module) -> list[Tensor]:
    """Weights of linear layers and convolutions; no embedding, position, norm or bias, nothing thin."""
    layers = (m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d))
    return [layer.weight for layer in layers if min(layer.weight.flatten(1).shape) >= LEAST_EDGE]
