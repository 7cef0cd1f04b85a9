"""Checkpoints: `checkpoints/STEP/{config.json, model.safetensors, ema.safetensors, trainer/}`.

A checkpoint appears whole or not at all: it is written into a hidden folder and renamed. `last` links to the
newest one. Trained parameters and buffers are stored; a frozen base is referred to by the description.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
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
    optimizer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All of one step."""

    description: Mapping[str, Any]
    """JSON-able: model configuration and data facts, from which the model is built again."""
    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    trainer: TrainerState


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep_every: int = 0) -> Path:
    """Write one checkpoint, point `last` to it and remove older ones that are not to be kept."""
    step = checkpoint.trainer.step
    target = folder / f"{step:0{STEP_DIGITS}d}"
    part = folder / f".{target.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        (part / "trainer").mkdir(parents=True)
        write_atomic(part / "config.json", to_json({"step": step, **checkpoint.description}))
        save_tensors(checkpoint.model, part / "model.safetensors")
        save_tensors(checkpoint.ema, part / "ema.safetensors")
        state = {"step": step, "optimizer": checkpoint.trainer.optimizer}
        torch.save(state, part / "trainer" / "state.pt")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(part, target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise DataError(f"Cannot write checkpoint {target}: {error}. Earlier ones are intact.") from error
    _link_last(folder, target.name)
    _remove_old(folder, target.name, keep_every)
    return target


def _link_last(folder: Path, name: str) -> None:
    link = folder / f".{LAST}.part"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    os.replace(link, folder / LAST)


def _remove_old(folder: Path, newest: str, keep_every: int) -> None:
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
    except (OSError, RuntimeError, EOFError, KeyError) as error:
        raise DataError(f"{state_file}: not a readable trainer state ({error})") from None
    return Checkpoint(
        description=read_description(path),
        model=load_tensors(path / "model.safetensors"),
        ema=load_tensors(path / "ema.safetensors"),
        trainer=TrainerState(step=state["step"], optimizer=state["optimizer"]),
    )
