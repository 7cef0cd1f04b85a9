"""The only training loop.

Every optimiser step is a pure function of (weights, optimiser state, step number): batches, noise levels
and noise are drawn from generators seeded by (seed, step, …), so a killed and resumed run equals an
uninterrupted one to the bit on a CPU. Several processes (accelerate launch) draw different examples.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Generator, Tensor, nn

from kinesight.interfaces.model import TrainableModel, Windows
from kinesight.nn.checkpoint import load_into
from kinesight.nn.ema import EMA
from kinesight.training.checkpoints import (
    Checkpoint,
    TrainerState,
    last_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from kinesight.training.config import TrainingConfig, learning_rate_factor
from kinesight.training.report import RunReport
from kinesight.types.errors import KinesightError, UnknownName

Seed = tuple[int, ...]
Batches = Callable[[Sequence[Seed], int], Iterator[Windows]]
"""(seeds, batch size) -> the batches of those seeds, in order."""


class Interrupted(KinesightError):
    """Ctrl-C or a termination request; the state is saved and a further call resumes."""

    status = 130


class Probe(Protocol):
    """A measurement while training: every `every` steps, on the averaged weights."""

    every: int

    def __call__(self, model: nn.Module, step: int) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call of `train` came."""

    step: int
    checkpoint: Path


def train(
    model: nn.Module,
    sources: Mapping[str, Batches],
    config: TrainingConfig,
    folder: Path,
    description: Mapping[str, Any],
    name: str = "train",
    probes: Sequence[Probe] = (),
) -> Progress:
    """Train from the folder's last checkpoint (or from the model as it is) to `config.steps`.

    `model` is a `TrainableModel`; `sources` maps the names in its streams to batches; `description` goes
    into every checkpoint. Raises `Interrupted` after saving on SIGINT or SIGTERM.
    """
    accelerator = Accelerator()
    losses = WeightedLosses(model, config)
    optimizer, trained = _optimizer(model, config)
    ema = EMA(model, config.ema)
    step = _resume(model, optimizer, ema, folder)
    model.to(accelerator.device)
    ema.average = {n: value.to(accelerator.device) for n, value in ema.average.items()}
    model.train()
    wrapped, optimizer = accelerator.prepare(losses, optimizer)
    checkpoints = folder / "checkpoints"

    def save() -> Path:
        accelerator.wait_for_everyone()
        target = checkpoints / f"{step:07d}"
        if accelerator.is_main_process:
            state = Checkpoint(
                description=description,
                model=model.state_dict(),
                ema=ema.average,
                trainer=TrainerState(step, optimizer.state_dict()),
            )
            target = save_checkpoint(checkpoints, state, config.keep_every)
        accelerator.wait_for_everyone()
        return target

    target = last_checkpoint(checkpoints) or save()
    batches = _batches(model, sources, config, accelerator.process_index, step)
    sums = _Means()
    with (
        _reporting(accelerator, folder, name, config.steps, step) as report,
        _interruptible() as asked_to_stop,
    ):
        while step < config.steps:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * learning_rate_factor(step, config)
            for micro in range(config.accumulate):
                total, terms = wrapped(next(batches), _generators(config, step, micro, accelerator))
                accelerator.backward(total / config.accumulate)
                sums.add(terms)
            norm = torch.nn.utils.clip_grad_norm_(trained, config.clip_norm)
            sums.add({"gradient_norm": norm.detach()})
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            ema.update(model)
            step += 1
            if report:
                report.advance(step)
            if step % config.log_every == 0 or step == config.steps:
                values = sums.collect()
                if report:
                    report.log(step, {**values, "learning_rate": optimizer.param_groups[0]["lr"]})
            for probe in probes:
                if step % probe.every == 0 and report:
                    report.log(step, _run_probe(probe, model, ema, step))
            if asked_to_stop.is_set():
                target = save()
                raise Interrupted(f"Stopped at step {step}; {target} is saved. The same command resumes.")
            if step % config.save_every == 0 or step == config.steps:
                target = save()
    return Progress(step, target)


class WeightedLosses(nn.Module):
    """One forward over all streams, so that DistributedDataParallel sees a single call per backward."""

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        super().__init__()
        self.model = model
        self.precision = getattr(torch, config.precision)

    def forward(
        self, windows: Mapping[str, Windows], generators: Mapping[str, Generator]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        model: TrainableModel = self.model  # type: ignore[assignment]
        total: Tensor | float = 0.0
        report: dict[str, Tensor] = {}
        for name, stream in model.streams.items():
            batch = model.collate(name, windows[name])
            device = generators[name].device.type
            with torch.autocast(device, self.precision, enabled=self.precision != torch.float32):
                terms = model.loss(name, batch, generators[name])
            for term, value in terms.items():
                if term not in model.loss_weights:
                    raise UnknownName("loss term", term, model.loss_weights)
                assert value.ndim == 1, f"loss term {term!r} must have shape [b], got {tuple(value.shape)}"
                mean = value.float().mean()
                total = total + stream.weight * model.loss_weights[term] * mean
                label = term if len(model.streams) == 1 else f"{name}/{term}"
                report[f"loss/{label}"] = mean.detach()
        assert isinstance(total, Tensor), "a model must return at least one loss term"
        return total, report


def _optimizer(model: nn.Module, config: TrainingConfig) -> tuple[torch.optim.Optimizer, list[nn.Parameter]]:
    """AdamW over the model's parameter groups; everything else is frozen."""
    trainable: TrainableModel = model  # type: ignore[assignment]
    groups = trainable.parameter_groups()
    trained = [parameter for group in groups for parameter in group["params"]]
    chosen = {id(parameter) for parameter in trained}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    for group in groups:
        group["peak"] = config.learning_rate * group.pop("scale", 1.0)
    optimizer = torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
    )
    return optimizer, trained


def _resume(model: nn.Module, optimizer: torch.optim.Optimizer, ema: EMA, folder: Path) -> int:
    path = last_checkpoint(folder / "checkpoints")
    if path is None:
        return 0
    checkpoint = load_checkpoint(path)
    load_into(model, checkpoint.model, path / "model.safetensors")
    ema.load(checkpoint.ema, checkpoint.trainer.step)
    optimizer.load_state_dict(dict(checkpoint.trainer.optimizer))
    return checkpoint.trainer.step


def _batches(
    model: nn.Module, sources: Mapping[str, Batches], config: TrainingConfig, rank: int, step: int
) -> Iterator[dict[str, Windows]]:
    """Per micro-batch the windows of every stream."""
    trainable: TrainableModel = model  # type: ignore[assignment]
    iterators = {}
    for number, (name, stream) in enumerate(trainable.streams.items()):
        if stream.source not in sources:
            raise UnknownName("data set of stream " + name, stream.source, sources)
        first, last = step * config.accumulate, config.steps * config.accumulate
        seeds = [(config.seed, i, rank, number) for i in range(first, last)]
        iterators[name] = iter(sources[stream.source](seeds, stream.batch_size))
    for _ in range(step * config.accumulate, config.steps * config.accumulate):
        yield {name: next(iterator) for name, iterator in iterators.items()}


class _Streams(dict[str, Generator]):
    """Generators by stream name, made when asked for."""

    def __init__(self, seed: Seed, device: torch.device) -> None:
        super().__init__()
        self.seed, self.device = seed, device

    def __missing__(self, name: str) -> Generator:
        mixed = hash((*self.seed, *name.encode())) % (1 << 63)
        self[name] = Generator(self.device).manual_seed(mixed)
        return self[name]


def _generators(config: TrainingConfig, step: int, micro: int, accelerator: Accelerator) -> _Streams:
    seed = (config.seed, step, micro, accelerator.process_index)
    torch.manual_seed(hash(seed) % (1 << 63))  # for dropout, which takes no generator
    return _Streams(seed, accelerator.device)


class _Means:
    """Running means on the device; read once per log line, so that a step never waits for the host."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def collect(self) -> dict[str, float]:
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.__init__()
        return means


def _run_probe(probe: Probe, model: nn.Module, ema: EMA, step: int) -> Mapping[str, float]:
    """Measure on the averaged weights and put the trained ones back."""
    trained = {name: p.detach().clone() for name, p in model.named_parameters() if name in ema.average}
    ema.copy_to(model)
    model.eval()
    try:
        with torch.inference_mode():
            return probe(model, step)
    finally:
        model.train()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in trained:
                    parameter.copy_(trained[name])


@contextmanager
def _reporting(
    accelerator: Accelerator, folder: Path, name: str, steps: int, start: int
) -> Iterator[RunReport | None]:
    if not accelerator.is_main_process:
        yield None
        return
    with RunReport(folder, name, steps, start) as report:
        yield report


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Set the event on SIGINT and SIGTERM, so that a step is finished before the state is saved."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {s: signal.signal(s, lambda *_: asked.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
