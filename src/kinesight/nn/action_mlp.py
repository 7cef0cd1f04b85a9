"""An MLP over a whole action chunk, to compare the U-Net with (Spatial Policy, "Hyperparameter Analysis").

With the objective "regression" it is the paper's direct regression of actions; with a noisy objective it is a
denoiser without convolutions.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinesight.nn.layers import LevelEmbedding


class ActionMLP(nn.Module):
    """Noisy chunk + noise level + condition -> prediction of the chunk's shape."""

    def __init__(
        self, actions: int, horizon: int, condition: int, widths: tuple[int, ...], level_features: int = 64
    ) -> None:
        super().__init__()
        self.level = LevelEmbedding(level_features)
        sizes = (horizon * actions + condition + level_features, *widths)
        hidden = [
            layer
            for inputs, outputs in pairwise(sizes)
            for layer in (nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.SiLU())
        ]
        self.body = nn.Sequential(*hidden, nn.Linear(sizes[-1], horizon * actions))

    def forward(
        self, noisy: Float[Tensor, "b h a"], levels: Float[Tensor, "b"], condition: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b h a"]:
        level = self.level(levels).to(condition.dtype)
        return self.body(torch.cat([noisy.flatten(1), condition, level], dim=-1)).view(noisy.shape)
