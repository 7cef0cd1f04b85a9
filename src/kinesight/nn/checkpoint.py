"""Tensors of a module on disk: safetensors, atomic, strict about names and shapes."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kinesight.types.errors import DataError


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write beside the target, then rename."""
    part = path.with_suffix(path.suffix + ".part")
    try:
        save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise DataError(f"Cannot write {path}: {error}.") from error


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        return load_file(path, device=str(device))
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not a readable safetensors file ({error})") from None


def files_digest(files: Sequence[Path]) -> str:
    """Start of the SHA-256 of files' names and contents."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:12]


@torch.no_grad()
def load_into(module: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Copy tensors to the parameters and buffers of the same names; nothing may be missing or left."""
    own = module.state_dict()
    missing, left = own.keys() - tensors.keys(), tensors.keys() - own.keys()
    if missing or left:
        raise DataError(
            f"{source}: does not fit the model: missing {sorted(missing)[:5]}, unexpected {sorted(left)[:5]}"
        )
    for name, value in own.items():
        if value.shape != tensors[name].shape:
            came, expected = tuple(tensors[name].shape), tuple(value.shape)
            raise DataError(f"{source}: {name} has shape {came}, the model expects {expected}")
    for name, value in own.items():
        value.copy_(tensors[name])
