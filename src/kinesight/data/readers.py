"""Two ways to gather rows of many episodes, with equal results: from memory, or from the files.

A row is addressed by (key, episode, row); keys and episodes are numbers in the order of `Catalog`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from kinesight.data.array_file import Layout
from kinesight.data.episodes import EpisodeStore
from kinesight.types.errors import DataError, UnknownName


@runtime_checkable
class Reader(Protocol):
    def gather(
        self, keys: Int[np.ndarray, "b"], episodes: Int[np.ndarray, "b"], rows: Int[np.ndarray, "b t"]
    ) -> Shaped[Tensor, "b t ..."]:
        """Rows of the keys, which share one type and row shape."""
        ...


@dataclass(frozen=True, slots=True)
class Catalog:
    """The episodes of some stores and those of their keys that are used."""

    stores: tuple[EpisodeStore, ...]
    keys: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    """Episode -> (store, index in it)."""
    layouts: Mapping[str, tuple[Layout, ...]]
    """Key -> layout in each episode."""

    @property
    def total_bytes(self) -> int:
        return sum(layout.shape[0] * layout.row_bytes for each in self.layouts.values() for layout in each)

    def read(self, key: str, episode: int, start: int, length: int) -> np.ndarray:
        store, index = self.places[episode]
        return self.stores[store].window(index, start, length, (key,))[key]


def make_catalog(stores: Sequence[EpisodeStore], keys: Sequence[str]) -> Catalog:
    places = tuple((s, i) for s, store in enumerate(stores) for i in range(len(store)))
    layouts: dict[str, list[Layout]] = {key: [] for key in keys}
    for s, i in places:
        present = stores[s].layout(i)
        for key in keys:
            if key not in present:
                raise DataError(f"{stores[s].path}, episode {i}: {UnknownName('key', key, present)}")
            layouts[key].append(present[key])
    for key, found in layouts.items():
        if len(kinds := {(layout.dtype, layout.shape[1:]) for layout in found}) > 1:
            raise DataError(f"Episodes differ in {key!r}: rows of {_list_kinds(kinds)}.")
    return Catalog(tuple(stores), tuple(keys), places, {key: tuple(found) for key, found in layouts.items()})


def _list_kinds(kinds: set[tuple[np.dtype, tuple[int, ...]]]) -> str:
    return " and ".join(sorted(f"{dtype}{list(shape)}" for dtype, shape in kinds))


@dataclass(frozen=True, slots=True)
class MemoryReader:
    """Rows of one type and shape lie in one tensor, so that a batch over several cameras is one gather."""

    pools: tuple[Tensor, ...]
    pool_of_key: tuple[int, ...]
    first_row: Int[np.ndarray, "keys episodes"]

    def gather(
        self, keys: Int[np.ndarray, "b"], episodes: Int[np.ndarray, "b"], rows: Int[np.ndarray, "b t"]
    ) -> Shaped[Tensor, "b t ..."]:
        pool = self.pools[self.pool_of_key[keys[0]]]
        wanted = self.first_row[keys, episodes][:, None] + rows
        if pool.device.type == "cpu":
            # Torch's own gather of uint8 rows is 30 times slower on the CPU.
            return torch.from_numpy(pool.numpy().take(wanted, axis=0))
        flat = torch.from_numpy(wanted.ravel()).to(pool.device, non_blocking=True)
        # Torch knows few operations on uint16 on a GPU; a gather does not mind the sign.
        signed = pool.view(torch.int16) if pool.dtype == torch.uint16 else pool
        return signed.index_select(0, flat).view(pool.dtype).unflatten(0, wanted.shape)


def load(catalog: Catalog, device: torch.device) -> MemoryReader:
    """Read every row once, episode by episode, so that no second copy of the data exists at any time."""
    kinds = [(layouts[0].dtype, layouts[0].shape[1:]) for layouts in catalog.layouts.values()]
    distinct = list(dict.fromkeys(kinds))
    first_row = np.zeros((len(catalog.keys), len(catalog.places)), np.int64)
    totals = [0] * len(distinct)
    for k, key in enumerate(catalog.keys):
        for e, layout in enumerate(catalog.layouts[key]):
            first_row[k, e] = totals[distinct.index(kinds[k])]
            totals[distinct.index(kinds[k])] += layout.shape[0]
    pools = tuple(
        torch.empty((rows, *shape), dtype=torch_dtype(dtype), device=device)
        for rows, (dtype, shape) in zip(totals, distinct, strict=True)
    )
    for e in range(len(catalog.places)):
        for k, key in enumerate(catalog.keys):
            length = catalog.layouts[key][e].shape[0]
            rows = torch.from_numpy(catalog.read(key, e, 0, length))
            pools[distinct.index(kinds[k])][first_row[k, e] : first_row[k, e] + length] = rows
    return MemoryReader(pools, tuple(distinct.index(kind) for kind in kinds), first_row)


def torch_dtype(dtype: np.dtype) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads the runs of consecutive rows that an example needs."""

    catalog: Catalog

    def gather(
        self, keys: Int[np.ndarray, "b"], episodes: Int[np.ndarray, "b"], rows: Int[np.ndarray, "b t"]
    ) -> Shaped[Tensor, "b t ..."]:
        layout = self.catalog.layouts[self.catalog.keys[keys[0]]][0]
        batch = np.empty((*rows.shape, *layout.shape[1:]), layout.dtype)
        for b in range(len(rows)):
            batch[b] = self._example(self.catalog.keys[keys[b]], int(episodes[b]), rows[b])
        return torch.from_numpy(batch)

    def _example(self, key: str, episode: int, rows: Int[np.ndarray, "t"]) -> np.ndarray:
        wanted, back = np.unique(rows, return_inverse=True)
        breaks = np.flatnonzero(np.diff(wanted) > 1) + 1
        runs = np.split(wanted, breaks)
        parts = [self.catalog.read(key, episode, int(run[0]), len(run)) for run in runs]
        return np.concatenate(parts)[back]
