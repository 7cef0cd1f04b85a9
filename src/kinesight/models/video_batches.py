"""What the imaginer's network is given: words, what is known of space, pictures."""

from dataclasses import dataclass, replace

from jaxtyping import Float, Int, UInt8
from torch import Generator, Tensor

from kinesight.nn.hand_path import Hands
from kinesight.nn.masking import covered


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known beside the picture."""

    words: Int[Tensor, "b n"] | Float[Tensor, "b n e"]
    """Ids of words, or a frozen text encoder's states."""
    spatial: tuple[Tensor, ...] = ()
    """What the conditioning's encoder takes: verbs, directions and distances of the plan, or coordinates."""
    hands: Hands | None = None
    """What the hand's path is foretold from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoBatch(Told):
    """The same with the first picture; future ones only in training."""

    first: UInt8[Tensor, "b y x 3"]
    future: UInt8[Tensor, "b t y x 3"] | None = None

    def occluded(self, share: float, generator: Generator) -> "VideoBatch":
        """The first frame partly covered, to the network and in what is imagined on top of it."""
        if not share:
            return self
        return replace(self, first=covered(self.first[:, None], share, generator)[:, 0])
