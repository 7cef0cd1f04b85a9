"""Pretrained models of transformers (extra hub), from local folders or, where one is named, the model hub."""

import re
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kinesight.nn.checkpoint import files_digest
from kinesight.types.errors import DataError, MissingDependency
from kinesight.types.serial import parse_json

FILES = ("*.safetensors", "*.bin", "*.json", "*.txt")
"""What decides a model's results: weights, configuration, tokeniser."""
FETCHED = ("*.safetensors", "*.json", "*.txt")
"""Of a repository of the hub, which may hold its weights in other formats too."""


def local_folder(name: str, what: str) -> Path:
    """A folder as it is named; where there is none, OWNER/NAME or OWNER/NAME@REVISION of the model hub.

    What was fetched before is taken as it is, without a network; a revision keeps it the same elsewhere.
    """
    named = re.fullmatch(r"([\w.-]+/[\w.-]+?)(?:@([\w.-]+))?", name)
    if Path(name).exists() or named is None:
        return Path(name)
    if not find_spec("transformers") or not find_spec("huggingface_hub"):
        raise MissingDependency(f"{what} needs the extra hub: pip install kinesight[hub]")
    import huggingface_hub

    def snapshot(cached: bool) -> Path:
        patterns: list[str] = list(FETCHED)
        return Path(
            huggingface_hub.snapshot_download(
                named[1], revision=named[2], allow_patterns=patterns, local_files_only=cached
            )
        )

    # What it raises depends on its version.
    with suppress(Exception):
        return snapshot(cached=True)
    try:
        return snapshot(cached=False)
    except Exception as error:
        raise DataError(f"{name}: no folder here, and the hub gives no such {what}: {error}") from None


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
