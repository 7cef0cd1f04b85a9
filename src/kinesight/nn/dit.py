"""A diffusion transformer over an action chunk (Peebles and Xie, 2023; SSM-VLA's flow-matching head).

The condition enters every block by adaptive layer norm, beside the noise level. It gives nothing at first:
the last layer begins at zero.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinesight.nn.layers import LevelEmbedding, TransformerBlock
from kinesight.nn.transformer import learned


class ActionDiT(nn.Module):
    """Noisy chunk + noise level + condition -> prediction of the chunk's shape."""

    def __init__(
        self, actions: int, horizon: int, condition: int, features: int, blocks: int, heads: int
    ) -> None:
        super().__init__()
        self.inputs = nn.Linear(actions, features)
        self.place = learned(horizon, features)
        self.level = LevelEmbedding(features)
        self.condition = nn.Linear(condition, features)
        self.blocks = nn.ModuleList(TransformerBlock(features, heads, features) for _ in range(blocks))
        self.norm = nn.LayerNorm(features, elementwise_affine=False)
        self.modulation = nn.Linear(features, 2 * features)
        self.out = nn.Linear(features, actions)
        for last in (self.modulation, self.out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, noisy: Float[Tensor, "b h a"], levels: Float[Tensor, "b"], condition: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b h a"]:
        told = F.silu(self.condition(condition) + self.level(levels))
        x = self.inputs(noisy) + self.place
        for block in self.blocks:
            x = block(x, told)
        scale, shift = self.modulation(told)[:, None].chunk(2, dim=-1)
        return self.out(self.norm(x) * (1 + scale) + shift)
