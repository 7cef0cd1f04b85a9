"""Models and data that train in milliseconds."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from kinesight.interfaces.model import Stream, Windows
from kinesight.training.loop import Batches
from kinesight.types.windows import Offsets, Take, WindowSpec

SPEC = WindowSpec({"x": Take("x", Offsets((0,)))})


class Regression(nn.Module):
    """y = 3 x_1 - 2 x_2 with dropout and noise; one stream of 16; on request one of 4 and a hidden layer."""

    def __init__(
        self,
        second_weight: float | None = None,
        frozen: bool = False,
        source: str = "toy",
        noise: float = 0.1,
        hidden: int = 0,
    ) -> None:
        super().__init__()
        self.streams = {"first": Stream(source, SPEC, 16)}
        if second_weight is not None:
            self.streams["second"] = Stream("other", SPEC, 4, second_weight)
        self.loss_weights = {"fit": 1.0}
        self.frozen, self.noise = frozen, noise
        self.body = nn.Linear(2, 8)
        tail: list[nn.Module] = [nn.Linear(8, 1)]
        if hidden:
            tail = [nn.Linear(8, hidden), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1)]
        self.head = nn.Sequential(nn.Tanh(), nn.Dropout(0.1 if noise else 0.0), *tail)
        self.register_buffer("scale", torch.tensor(2.0))
        self.seen: list[tuple[str, Tensor]] = []

    def collate(self, stream: str, windows: Windows) -> Tensor:
        return windows.values["x"][:, 0]

    def loss(self, stream: str, batch: Tensor, generator: Generator) -> dict[str, Tensor]:
        self.seen.append((stream, batch))
        noise = torch.randn(len(batch), generator=generator, device=batch.device)
        target = 3 * batch[:, 0] - 2 * batch[:, 1] + self.noise * noise
        return {"fit": (self.head(self.body(self.scale * batch))[:, 0] - target).square()}

    def parameter_groups(self) -> list[dict[str, Any]]:
        head = {"params": list(self.head.parameters()), "scale": 0.5}
        return [head] if self.frozen else [{"params": list(self.body.parameters())}, head]


def make(**options: Any) -> Regression:
    torch.manual_seed(7)
    return Regression(**options)


def windows(x: Tensor) -> Windows:
    return Windows({"x": x[:, None]}, {}, ("fit",) * len(x))


def random_batches(before: Callable[[int], None] = lambda number: None) -> Batches:
    """Batches that are pure functions of their seeds; `before` is told the number of each."""

    def batches(seeds: Sequence[tuple[int, ...]], size: int) -> Iterator[Windows]:
        for seed in seeds:
            before(seed[1])
            x = np.random.default_rng(seed).standard_normal((size, 2), np.float32)
            yield windows(torch.from_numpy(x))

    return batches


SOURCES = {"first": random_batches(), "second": random_batches()}
