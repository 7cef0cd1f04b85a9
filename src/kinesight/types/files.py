"""Writing a file whole or not at all."""

import os
from pathlib import Path

from kinesight.types.errors import DataError

UNFINISHED = ".partial"
"""Ending of files that were being written when their process died; readers ignore them."""


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content`: after a crash the old or the new file is there, never a part of one."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
