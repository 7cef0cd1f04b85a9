"""Keys that are computed from recorded episodes: plans in hindsight, masks, codes, encodings.

Each derivation has its own folder, named by a hash of everything that decides its content, so that another
setting never meets an old result. Finished episodes are kept; a later call computes the missing ones, and of
several at the same time one does, for which the others wait.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kinesight.data.array_file import write_arrays
from kinesight.data.episodes import Episode, EpisodeStore, check_rows, file_path, stored_indices
from kinesight.data.parallel import ordered_map
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.locks import LOCK, waited_for
from kinesight.types.serial import to_jsonable

Derivation = Callable[[Episode], Mapping[str, np.ndarray]]
"""Arrays of T or T + 1 rows by key. A function, or a frozen dataclass with `__call__`; it must pickle."""


def derive(
    store: EpisodeStore,
    name: str,
    function: Derivation,
    parameters: Any = None,
    workers: int = 1,
    version: int = 1,
) -> Path:
    """Compute the keys for all episodes and return their folder, to be given to `store.with_derived`.

    `parameters` is what the function's result depends on beside the episode (anything with a JSON form);
    raise `version` when the function's code changes its results.
    """
    document = {
        "name": name,
        "function": _qualified_name(function),
        "parameters": to_jsonable(parameters),
        "version": version,
        "derived_from": list(store.derived),
    }
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]
    folder = store.path / "derived" / f"{name}-{digest}"
    if folder.is_dir() and not _missing(store, folder):
        return folder
    with waited_for(folder / LOCK, f"derived keys {folder}"):
        write_atomic(folder / "derivation.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
        for _ in ordered_map(partial(_derive_one, store, function, folder), _missing(store, folder), workers):
            pass
    return folder


def _missing(store: EpisodeStore, folder: Path) -> list[int]:
    return sorted(set(range(len(store))) - set(stored_indices(folder)))


def _qualified_name(function: Derivation) -> str:
    if isinstance(function, partial):
        return _qualified_name(function.func)
    named: Any = function if inspect.isroutine(function) else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _derive_one(store: EpisodeStore, function: Derivation, folder: Path, index: int) -> None:
    episode = store[index]
    arrays = dict(function(episode))
    where = f"{folder.name}, episode {index}"
    if not arrays:
        raise DataError(f"{where}: the function returned no array.")
    for key, array in arrays.items():
        check_rows(key, array.shape, episode.length, where)
        if key in episode.arrays:
            raise DataError(f"{where}: {key!r} would hide the stored key of the same name.")
    write_arrays(file_path(folder, index), arrays, {"derived": folder.name})
