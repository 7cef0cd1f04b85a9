"""The only training loop.

Every optimiser step is a pure function of (weights, optimiser state, step number): batches, noise levels
and noise are drawn from generators seeded by (seed, step, …), so a killed and resumed run equals an
uninterrupted one to the bit on a CPU. Several processes (accelerate launch) draw different examples.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from accelerate import Accelerator
from torch import Generator, nn

from kinesight.interfaces.model import Stream, TrainableModel, Windows
from kinesight.nn.ema import EMA
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint, save_checkpoint
from kinesight.training.config import TrainingConfig, learning_rate_factor
from kinesight.training.losses import WeightedLosses
from kinesight.training.report import RunReport
from kinesight.training.state import TrainingState, begin
from kinesight.types.errors import KinesightError, UnknownName

Seed = tuple[int, ...]
Batches = Callable[[Sequence[Seed], int], Iterator[Windows]]
"""(seeds, batch size) -> the batches of those seeds, in order."""


class Interrupted(KinesightError):
    """Ctrl-C or a termination request; the state is saved and a further call resumes."""

    status = 130


@runtime_checkable
class Probe(Protocol):
    """A measurement while training: every `every` steps, on the averaged weights."""

    @property
    def every(self) -> int: ...

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

    `model` is a `TrainableModel`; `sources` maps the names of its streams to batches; `description` goes
    into every checkpoint. Raises `Interrupted` after saving on SIGINT or SIGTERM.
    """
    accelerator = make_accelerator()
    checkpoints = folder / "checkpoints"
    model.to(accelerator.device).train()
    state = begin(model, config, checkpoints)
    losses = accelerator.prepare_model(WeightedLosses(model, config))
    batches = _batches(_streams(model), sources, config, accelerator.process_index, state.step)
    target = last_checkpoint(checkpoints) or _save(state, checkpoints, description, config, accelerator)
    with (
        _reporting(accelerator, folder, name, config.steps, state.step) as report,
        _interruptible() as asked_to_stop,
    ):
        while state.step < config.steps:
            _update(state, losses, batches, config, accelerator)
            last = state.step == config.steps
            log = last or state.step % config.log_every == 0
            save = last or state.step % config.save_every == 0
            if report:
                report.advance(state.step)
            if log:
                means = state.finite_means()
                state.means.clear()
                if report:
                    report.log(
                        state.step, {**means, "learning_rate": state.optimizers[0].param_groups[0]["lr"]}
                    )
            for probe in probes:
                if report and state.step % probe.every == 0:
                    report.log(state.step, _run_probe(probe, state))
            # Several processes must stop at the same step; they ask each other where they wait anyway.
            stop = (log or accelerator.num_processes == 1) and _any_process(asked_to_stop, accelerator)
            if save or stop:
                target = _save(state, checkpoints, description, config, accelerator)
            if stop or (last and asked_to_stop.is_set()):
                raise Interrupted(
                    f"Stopped at step {state.step}; {target} is saved. The same command resumes."
                )
    return Progress(state.step, target)


def make_accelerator() -> Accelerator:
    """This process's; every further one shares its state."""
    # The precision is the configuration's (see WeightedLosses), not that of the launcher's environment.
    # Without cpu=True launched processes on a machine without a GPU would not know of each other.
    return Accelerator(mixed_precision="no", cpu=not torch.accelerator.is_available())


def _update(
    state: TrainingState,
    losses: nn.Module,
    batches: Iterator[Mapping[str, Windows]],
    config: TrainingConfig,
    accelerator: Accelerator,
) -> None:
    """One optimiser step over `config.accumulate` micro-batches."""
    factor = learning_rate_factor(state.step, config)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor
    for micro in range(config.accumulate):
        generators = _generators(_streams(state.model), config, state.step, micro, accelerator)
        with nullcontext() if micro + 1 == config.accumulate else accelerator.no_sync(losses):
            total, terms = losses(next(batches), generators)
            (total / config.accumulate).backward()
        state.means.add(terms)
    norm = torch.nn.utils.clip_grad_norm_(state.trained, config.clip_norm)
    state.means.add({"gradient_norm": norm.detach()})
    for optimizer in state.optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    state.ema.update(state.model)
    state.step += 1


def _streams(model: nn.Module) -> Mapping[str, Stream]:
    trainable: TrainableModel = model  # type: ignore[assignment]
    return trainable.streams


def _batches(
    streams: Mapping[str, Stream],
    sources: Mapping[str, Batches],
    config: TrainingConfig,
    rank: int,
    step: int,
) -> Iterator[dict[str, Windows]]:
    """Per micro-batch the windows of every stream."""
    numbers = range(step * config.accumulate, config.steps * config.accumulate)
    iterators = {}
    for stream_number, (name, stream) in enumerate(streams.items()):
        if name not in sources:
            raise UnknownName("stream with batches", name, sources)
        seeds = [(config.seed, i, rank, stream_number) for i in numbers]
        iterators[name] = iter(sources[name](seeds, stream.batch_size))
    return ({name: next(iterator) for name, iterator in iterators.items()} for _ in numbers)


def _generators(
    streams: Mapping[str, Stream], config: TrainingConfig, step: int, micro: int, accelerator: Accelerator
) -> dict[str, Generator]:
    """A generator for every stream; the global one is seeded too, for dropout, which takes none."""
    seed = (config.seed, step, micro, accelerator.process_index)
    torch.manual_seed(mixed_seed(*seed, 0))
    return {
        name: Generator(accelerator.device).manual_seed(mixed_seed(*seed, number))
        for number, name in enumerate(streams, 1)
    }


def mixed_seed(*parts: int) -> int:
    """64 bits from some integers, the same on every machine; neighbours get unrelated ones."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def _save(
    state: TrainingState,
    folder: Path,
    description: Mapping[str, Any],
    config: TrainingConfig,
    accelerator: Accelerator,
) -> Path:
    """The main process writes, the others wait. What diverged is not written over what did not."""
    state.finite_means()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        save_checkpoint(folder, state.checkpoint(description), config.keep_every)
    accelerator.wait_for_everyone()
    return checkpoint_path(folder, state.step)


def _run_probe(probe: Probe, state: TrainingState) -> Mapping[str, float]:
    """Measure on the averaged weights and put the trained ones back."""
    model = state.model
    trained = EMA(model, 0.0)
    state.ema.copy_to(model)
    model.eval()
    try:
        with torch.inference_mode():
            return probe(model, state.step)
    finally:
        model.train()
        trained.copy_to(model)


def _any_process(event: threading.Event, accelerator: Accelerator) -> bool:
    """Whether the event is set in any of the processes."""
    if accelerator.num_processes == 1:
        return event.is_set()
    mark = torch.tensor(float(event.is_set()), device=accelerator.device)
    return bool(accelerator.reduce(mark, "sum") > 0)  # pyright: ignore[reportOperatorIssue]


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
