"""Checkpoints: `checkpoints/STEP/{config.json, model.safetensors, ema.safetensors, trainer/}`.

A checkpoint appears whole or not at all: it is written into a hidden folder and renamed. `last` links to the
newest one. Trained parameters and buffers are stored; a frozen base is referred to by the description.
"""

import os
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinesight.nn.checkpoint import load_tensors, save_tensors
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.serial import parse_json, to_json

LAST = "last"
STEP_DIGITS = 7


@dataclass(frozen=True, slots=True)
class TrainerState:
    """What a resumed run needs beside the weights."""

    step: int
    optimizers: tuple[Mapping[str, Any], ...]
    sums: Mapping[str, Tensor] = field(default_factory=dict)
    """What was measured since the last line of the metrics: sums and how many."""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All of one step."""

    description: Mapping[str, Any]
    """JSON-able: model configuration and data facts, from which the model is built again."""
    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    trainer: TrainerState


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"{step:0{STEP_DIGITS}d}"


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep_every: int = 0) -> Path:
    """Write one checkpoint, point `last` to it and remove older ones that are not to be kept."""
    target = checkpoint_path(folder, checkpoint.trainer.step)
    part = folder / f".{target.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(part, checkpoint)
        _move(part, target)
    except (OSError, DataError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise DataError(f"Cannot write checkpoint {target}: {error} Earlier ones are intact.") from error
    _link_last(folder, target.name)
    _remove_old(folder, target.name, keep_every)
    return target


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    trainer = checkpoint.trainer
    (folder / "trainer").mkdir(parents=True)
    write_atomic(folder / "config.json", to_json({"step": trainer.step, **checkpoint.description}))
    save_tensors(checkpoint.model, folder / "model.safetensors")
    save_tensors(checkpoint.ema, folder / "ema.safetensors")
    state = {name: getattr(trainer, name) for name in ("step", "optimizers", "sums", "counts")}
    try:
        with open(folder / "trainer" / "state.pt", "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
    except RuntimeError as error:  # torch's word for a full disk
        raise OSError(str(error)) from error


def _move(part: Path, target: Path) -> None:
    """Rename into place; an older checkpoint of the same step makes room first."""
    old = target.with_name(f".{target.name}.old.part")
    if target.exists():
        os.replace(target, old)
    os.replace(part, target)
    shutil.rmtree(old, ignore_errors=True)


def _link_last(folder: Path, name: str) -> None:
    link = folder / f".{LAST}.part"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    os.replace(link, folder / LAST)


def _remove_old(folder: Path, newest: str, keep_every: int) -> None:
    for leftover in folder.glob(".*.part"):
        shutil.rmtree(leftover, ignore_errors=True)
    for old in folder.glob("[0-9]" * STEP_DIGITS):
        kept = keep_every and int(old.name) % keep_every == 0
        if old.name != newest and not kept:
            shutil.rmtree(old)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run's stage, or None before the first."""
    found = sorted(path for path in folder.glob("[0-9]" * STEP_DIGITS) if (path / "config.json").exists())
    return found[-1] if found else None


def read_description(path: Path) -> dict[str, Any]:
    config = path / "config.json"
    if not config.exists():
        raise DataError(f"{path}: no checkpoint here (config.json is missing)")
    return parse_json(config.read_text(), str(config))


def load_checkpoint(path: Path) -> Checkpoint:
    state_file = path / "trainer" / "state.pt"
    try:
        state = torch.load(state_file, map_location="cpu", weights_only=True)
        trainer = TrainerState(**state)
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise DataError(f"{state_file}: not a readable trainer state ({error})") from None
    return Checkpoint(
        description=read_description(path),
        model=load_tensors(path / "model.safetensors"),
        ema=load_tensors(path / "ema.safetensors"),
        trainer=trainer,
    )
