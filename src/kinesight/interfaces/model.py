"""What the training loop needs of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from kinesight.types.windows import WindowSpec


@dataclass(frozen=True, slots=True)
class Windows:
    """A batch of examples as the data layer gathers it; the first axes of every value are [b t]."""

    values: Mapping[str, Tensor]
    valid: Mapping[str, Bool[Tensor, "b t"]]
    """False where a frame rule pointed outside the episode."""
    instructions: tuple[str, ...]
    """One an example."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One source of training examples and its share of every optimiser step."""

    source: str
    """Name of the data set among those given to the training run."""
    windows: WindowSpec
    batch_size: int
    weight: float = 1.0
    cameras: tuple[str, ...] = ()
    """Of which one is drawn for every example; () draws from all of the data set's."""


@runtime_checkable
class TrainableModel(Protocol):
    """An `nn.Module` that can be trained by the one training loop.

    At test time the same `collate` prepares the network's input from observations
    (`kinesight.data.windows.from_observations`), so that what is trained on is what is acted on.
    """

    @property
    def streams(self) -> Mapping[str, Stream]: ...

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Weight of every term that `loss` returns, by name."""
        ...

    def collate(self, stream: str, windows: Windows) -> Any:
        """The model's own batch type, on the device of the windows."""
        ...

    def loss(self, stream: str, batch: Any, generator: Generator) -> dict[str, Float[Tensor, "b"]]: ...

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Optimiser parameter groups; parameters in none of them stay frozen."""
        ...


@runtime_checkable
class Pretrained(Protocol):
    """A `TrainableModel` that may use weights which were made elsewhere and lie in local files."""

    def load_pretrained(self) -> Mapping[str, str]:
        """Let trained parameters begin from files, before the first step; path -> hash of each."""
        ...

    def frozen(self) -> Mapping[str, str]:
        """Path -> hash of what is used as it is and left out of checkpoints."""
        ...


@runtime_checkable
class Student(Protocol):
    """A `TrainableModel` that learns beside the frozen model of an earlier stage."""

    @property
    def wants_teacher(self) -> bool:
        """Whether it was built to have one."""
        ...

    def adopt(self, teacher: nn.Module) -> None:
        """Take what is needed of it before the first step; a teacher that does not fit is refused."""
        ...
