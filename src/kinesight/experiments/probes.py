"""What is measured of a stage while it trains, beside its losses."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from torch import nn

from kinesight.data.windows import WindowSource
from kinesight.models.latent_actions import LatentActions
from kinesight.models.latent_horizons import measure_horizons
from kinesight.training.config import TrainingConfig
from kinesight.training.loop import Probe

EXAMPLES = 128


@dataclass(frozen=True, slots=True, eq=False)
class HorizonProbe:
    """By horizon: how much of the codebook is used, and what its codes draw, on training examples."""

    source: WindowSource
    every: int

    def __call__(self, model: nn.Module, step: int) -> Mapping[str, float]:
        assert isinstance(model, LatentActions), "made for one"
        (stream,) = model.streams
        windows = self.source.batch((0,), EXAMPLES)
        found = {}
        for horizon in measure_horizons(model, model.collate(stream, windows)):
            measured = asdict(horizon)
            steps = measured.pop("steps")
            found |= {f"{name}/{steps}": float(value) for name, value in measured.items()}
        # Where nothing moves there is no error to tell of.
        return {name: value for name, value in found.items() if math.isfinite(value)}


def stage_probes(
    model: nn.Module, sources: Mapping[str, WindowSource], training: TrainingConfig
) -> tuple[Probe, ...]:
    if isinstance(model, LatentActions):
        (stream,) = model.streams
        return (HorizonProbe(sources[stream], training.save_every),)
    return ()
