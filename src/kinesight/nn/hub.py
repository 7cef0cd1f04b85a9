"""Pretrained models of transformers (extra hub), from local folders or, where one is named, the model hub."""

import re
from pathlib import Path
from typing import Any

from kinesight.nn.checkpoint import files_digest
from kinesight.types.errors import DataError, MissingDependency
from kinesight.types.serial import parse_json

FILES = ("*.safetensors", "*.bin", "*.json", "*.txt")
"""What decides a model's results: weights, configuration, tokeniser."""


def local_folder(name: str, what: str) -> Path:
    """A folder as it is named; OWNER/NAME, where there is no such folder, is fetched from the model hub.

    What was fetched before is found again without a network.
    """
    if Path(name).exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return Path(name)
    try:
        import huggingface_hub  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingDependency(f"{what} needs the extra hub: pip install kinesight[hub]") from None
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=list(FILES)))
    except (OSError, ValueError) as error:  # its own errors are OSErrors and ValueErrors
        raise DataError(
            f"{name}: no folder here, and the hub gives no {what} of this name: {error}"
        ) from None


def read_local(folder: Path, what: str, *classes: str, kind: str = "") -> tuple[Any, ...]:
    """What transformers' classes of these names read from a folder that `save_pretrained` wrote.

    `what` is the model's name in messages; `kind` what its type in `config.json` begins with, "" for any.
    """
    file = folder / "config.json"
    if not file.exists():
        raise DataError(f"{folder}: no {what} here (config.json is missing)")
    found = parse_json(file.read_text(), str(file)).get("model_type", "model of no type")
    if not found.startswith(kind):
        raise DataError(f"{folder}: holds a {found}, not a {what} ({kind})")
    try:
        import transformers  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingDependency(f"{what} needs the extra hub: pip install kinesight[hub]") from None
    transformers.utils.logging.disable_progress_bar()
    try:
        return tuple(
            getattr(transformers, name).from_pretrained(folder, local_files_only=True) for name in classes
        )
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder}: not a {what} that transformers can read ({error})") from None


def folder_digest(folder: Path) -> str:
    """Start of the SHA-256 of the folder's files."""
    return files_digest(sorted({file for pattern in FILES for file in folder.glob(pattern)}))
