"""Locks between processes, as files; a process that ends, however it ends, leaves none held.

`filelock` asks the operating system (flock, on Windows msvcrt), so the file stays and means nothing by
itself. Only where a file system knows no locks does it warn and let the file's existence stand for one, which
a process that is killed may leave behind.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kinesight.types.errors import DataError

LOCK = ".lock"
"""Name of the lock of a folder that one process at a time may write to."""
PAUSE_S = 0.5
"""Between two looks at a lock that another process holds."""
PATIENCE_S = 3.0
"""Who waits for longer says so."""
FOR_EVER = -1.0


@contextmanager
def lock_if_free(file: Path) -> Iterator[bool]:
    """Hold the lock for the block unless another process does; says whether."""
    lock = _lock(file)
    if not _acquire(lock, 0.0):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def waited_for(file: Path, what: str) -> Iterator[None]:
    """Hold the lock for the block, once it is free; who has to wait says for what, on stderr.

    In a folder that cannot be written there is nothing to guard.
    """
    if file.parent.is_dir() and not os.access(file.parent, os.W_OK):
        yield
        return
    lock = _lock(file)
    if not _acquire(lock, PATIENCE_S):
        print(f"{what}: waiting for another process, which holds {file}", file=sys.stderr, flush=True)
        _acquire(lock, FOR_EVER)
    try:
        yield
    finally:
        lock.release()


def held_elsewhere(file: Path) -> bool:
    """Whether another process holds the lock now."""
    if not file.exists():
        return False
    with lock_if_free(file) as free:
        return not free


def _lock(file: Path) -> FileLock:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Cannot make {file.parent}: {error.strerror or error}.") from error
    return FileLock(file)


def _acquire(lock: FileLock, timeout_s: float) -> bool:
    """Whether it is held now."""
    try:
        lock.acquire(timeout=timeout_s, poll_interval=PAUSE_S)
    except Timeout:
        return False
    except OSError as error:
        raise DataError(f"Cannot lock {lock.lock_file}: {error.strerror or error}.") from error
    return True
