"""The weighted sum of a model's loss terms over all its streams."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from kinesight.interfaces.model import TrainableModel, Windows
from kinesight.training.config import TrainingConfig
from kinesight.types.errors import UnknownName


class WeightedLosses(nn.Module):
    """One forward over all streams, so that DistributedDataParallel sees a single call per backward."""

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        super().__init__()
        self.model = model
        self.precision = autocast_type(config.precision, next(model.parameters()).device)

    def forward(
        self, windows: Mapping[str, Windows], generators: Mapping[str, Generator]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The total, and the mean of every term for the report."""
        model: TrainableModel = self.model  # type: ignore[assignment]
        total: Tensor | float = 0.0
        report: dict[str, Tensor] = {}
        missing = set(model.loss_weights)
        for name, stream in model.streams.items():
            for term, value in self._terms(name, windows[name], generators[name]).items():
                if term not in model.loss_weights:
                    raise UnknownName("loss term", term, model.loss_weights)
                missing.discard(term)
                mean = value.float().mean()
                total = total + stream.weight * model.loss_weights[term] * mean
                label = term if len(model.streams) == 1 else f"{name}/{term}"
                report[f"loss/{label}"] = mean.detach()
        assert not missing, f"loss weights without a term: {sorted(missing)}"
        assert isinstance(total, Tensor), "a model must return at least one loss term"
        return total, report

    def _terms(self, name: str, windows: Windows, generator: Generator) -> dict[str, Tensor]:
        model: TrainableModel = self.model  # type: ignore[assignment]
        batch = model.collate(name, windows)
        enabled = self.precision != torch.float32
        with torch.autocast(generator.device.type, self.precision, enabled=enabled):
            terms = model.loss(name, batch, generator)
        for term, value in terms.items():
            shape = (len(windows.instructions),)
            assert value.shape == shape, f"loss term {term!r} must be {shape}, got {tuple(value.shape)}"
        return terms


def autocast_type(precision: str, device: torch.device) -> torch.dtype:
    """The configured type; "auto" asks the hardware, since emulated bfloat16 is slower than float32."""
    if precision != "auto":
        return getattr(torch, precision)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32
