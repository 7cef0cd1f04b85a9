"""Where the hand will be: a path foretold from plan and points, and how a video network is told of it.

A path holds, for every future frame, the way from the present position, along the world's axes [dm], and the
change of the gripper's opening (0 closed, 1 open): four numbers of about one size. The hand's position is
that of the proprioception, which on Meta-World is the wrist, 4.5 cm above the fingertips.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kinesight.nn.point_maps import point_maps, projected

STATE = 4
_PER_METRE = 10.0


@dataclass(frozen=True, slots=True)
class Hands:
    """What a path starts from, and the true one in training."""

    states: Float[Tensor, "b s 4"]
    """Position in the world [dm] and opening; the present ones first, then those of the future frames."""
    points: Float[Tensor, "b n 3"]
    """Of the scene [m]."""
    T_world_camera: Float[Tensor, "b 4 4"]
    K: Float[Tensor, "b 3 3"]

    @property
    def path(self) -> Float[Tensor, "b t 4"]:
        return self.states[:, 1:] - self.states[:, :1]


def hand_states(proprio: Float[Tensor, "b s 8"]) -> Float[Tensor, "b s 4"]:
    """Of the proprioception (`types.observation.PROPRIO_NAMES`)."""
    return torch.cat([_PER_METRE * proprio[..., :3], proprio[..., 7:8]], dim=-1)


class HandPath(nn.Module):
    """Foretells the path, and turns a path into what a video network looks at, frame by frame."""

    MARKS = 2
    """Pictures a frame: where the hand is, and the same as bright as it is open."""
    centre: Tensor

    def __init__(
        self,
        low: Sequence[float],
        high: Sequence[float],
        condition: int,
        points: int,
        frames: int,
        hidden: int = 256,
    ) -> None:
        """`low` and `high` are the range of the proprioception in the data. A path of `frames` is foretold
        from `condition` features of words and plan and so many `points` of the scene, in layers of `hidden`.
        """
        super().__init__()
        self.frames = frames
        middle = (torch.tensor(low) + torch.tensor(high)) / 2
        self.register_buffer("centre", hand_states(middle[None, None])[0, 0])
        self.foretell = nn.Sequential(
            nn.Linear(condition + STATE + 3 * points, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, frames * STATE),
        )
        self.frame = nn.Sequential(nn.Linear(2 * STATE, hidden), nn.SiLU(), nn.Linear(hidden, condition))

    def forward(
        self, pooled: Float[Tensor, "b d"], hands: Hands, noise: Float[Tensor, "b 4"] | float = 0.0
    ) -> Float[Tensor, "b t 4"]:
        """The path from the present frame on; `noise` is added to where the hand is said to be."""
        now = hands.states[:, 0] + noise
        ways = _PER_METRE * hands.points - now[:, None, :3]
        seen = torch.cat([pooled, now - self.centre, ways.flatten(1)], dim=-1)
        return self.foretell(seen).unflatten(-1, (self.frames, STATE))

    def loss(
        self, pooled: Float[Tensor, "b d"], hands: Hands, noise: float, generator: Generator
    ) -> Float[Tensor, "b"]:
        """Smooth L1, so that what no one can foretell does not outweigh the rest."""
        now = hands.states[:, 0]
        drawn = torch.randn(now.shape, generator=generator, device=now.device)
        foretold = self(pooled, hands, noise * drawn)
        return F.smooth_l1_loss(foretold, hands.path, beta=0.1, reduction="none").mean((1, 2))

    def told(self, path: Float[Tensor, "b t 4"], hands: Hands) -> Float[Tensor, "b t d"]:
        """A vector a frame: how far the hand has gone, and where it is then."""
        return self.frame(torch.cat([path, self._states(path, hands) - self.centre], dim=-1))

    def drawn(
        self, path: Float[Tensor, "b t 4"], hands: Hands, seen: tuple[int, int], size: tuple[int, int]
    ) -> Float[Tensor, "b t 2 y x"]:
        """Marks in pictures of `size`; K counts pixels of pictures of height and width `seen`."""
        states = self._states(path, hands)
        pixels = projected(states[..., :3] / _PER_METRE, hands.T_world_camera, hands.K)
        places = point_maps(pixels, seen, size)
        return torch.stack([places, places * states[..., 3:, None]], dim=2)

    def _states(self, path: Float[Tensor, "b t 4"], hands: Hands) -> Float[Tensor, "b t 4"]:
        return hands.states[:, :1] + path
