"""How training batches are gathered from stores, and the same batches from observations at test time.

A batch is a pure function of its seed. An example is an episode and a start frame t in [0, T - 1], drawn
uniformly over all start frames (or by task, with given weights), and a camera, drawn uniformly, for the
takes that have `{camera}` in their key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch.utils.data import DataLoader

from kinesight.data.episodes import EpisodeStore
from kinesight.data.examples import ExampleTable, make_table
from kinesight.data.observed import observation_arrays
from kinesight.data.readers import Catalog, FileReader, Reader, load, make_catalog
from kinesight.interfaces.model import Windows
from kinesight.types.errors import DataError, UnknownName, UsageError
from kinesight.types.observation import Observation
from kinesight.types.windows import WindowSpec

CAMERA = "{camera}"
HOST_MEMORY_BYTES = 8 << 30
"""Data up to this size are kept in the computer's memory."""

Seed = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WindowSource:
    """Batches of one `WindowSpec` from one or several stores; made by `open_windows`."""

    spec: WindowSpec
    table: ExampleTable
    reader: Reader
    keys: Mapping[str, Int[np.ndarray, "cameras"]]
    """Take -> number of its key for each camera."""
    last_rows: Mapping[str, Int[np.ndarray, "episodes"]]
    """Take -> last row of its key in each episode."""
    device: torch.device

    @property
    def in_memory(self) -> bool:
        return not isinstance(self.reader, FileReader)

    def batch(self, seed: Seed, size: int) -> Windows:
        generator = np.random.default_rng(np.random.SeedSequence(seed))
        episodes, drawn, cameras = self.table.draw(generator, size)
        starts = self.spec.starts(drawn, generator)
        frames = self.spec.indices(starts, self.table.bounds(episodes), generator)
        values, valid = {}, {}
        for name, (indices, inside) in frames.items():
            last = self.last_rows[name][episodes][:, None]
            rows = np.minimum(indices, last)
            values[name] = self.reader.gather(self.keys[name][cameras], episodes, rows).to(self.device)
            valid[name] = torch.from_numpy(inside & (indices <= last)).to(self.device, non_blocking=True)
        return Windows(values, valid, tuple(self.table.instructions[e] for e in episodes))


def open_windows(
    stores: EpisodeStore | Sequence[EpisodeStore],
    spec: WindowSpec,
    cameras: Sequence[str] = (),
    device: torch.device | str = "cpu",
    memory_limit_bytes: int | None = None,
    task_weights: Mapping[str, float] | None = None,
    episodes: int = 0,
) -> WindowSource:
    """The keys that `spec` uses are loaded onto the device if they fit, else read from the files.

    They fit into `memory_limit_bytes`, by default `HOST_MEMORY_BYTES`, or half of what is free on a GPU.
    `task_weights` gives each task's share of the examples; without it every start frame is as likely.
    `episodes` takes only so many of each task, the first ones; 0 takes all.
    """
    stores = (stores,) if isinstance(stores, EpisodeStore) else tuple(stores)
    if not sum(len(store) for store in stores):
        raise DataError(f"No episodes in {', '.join(str(store.path) for store in stores) or 'no data set'}.")
    named = {name: _keys_of(take.key, cameras) for name, take in spec.takes.items()}
    catalog = make_catalog(stores, tuple(dict.fromkeys(key for keys in named.values() for key in keys)))
    for keys in named.values():
        _check_alike(catalog, keys)
    device = torch.device(device)
    fits = catalog.total_bytes <= (_room(device) if memory_limit_bytes is None else memory_limit_bytes)
    return WindowSource(
        spec=spec,
        table=make_table(catalog, len(cameras), task_weights, episodes),
        reader=load(catalog, device) if fits else FileReader(catalog),
        keys={name: np.array([catalog.keys.index(k) for k in keys]) for name, keys in named.items()},
        last_rows={
            name: np.array([layout.shape[0] - 1 for layout in catalog.layouts[keys[0]]])
            for name, keys in named.items()
        },
        device=device,
    )


def _room(device: torch.device) -> int:
    if device.type != "cuda":
        return HOST_MEMORY_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return free // 2


def _keys_of(key: str, cameras: Sequence[str]) -> tuple[str, ...]:
    if CAMERA not in key:
        return (key,) * max(len(cameras), 1)
    if not cameras:
        raise UsageError(f"Key {key!r} needs at least one camera to be named.")
    return tuple(key.replace(CAMERA, camera) for camera in cameras)


def _check_alike(catalog: Catalog, keys: tuple[str, ...]) -> None:
    first = catalog.layouts[keys[0]]
    for key in keys[1:]:
        for a, b in zip(first, catalog.layouts[key], strict=True):
            if (a.shape, a.dtype) != (b.shape, b.dtype):
                raise DataError(
                    f"{keys[0]!r} is {a.dtype}{list(a.shape)} and {key!r} {b.dtype}{list(b.shape)}; "
                    "cameras of one batch must be alike."
                )


def prefetching(source: WindowSource, seeds: Iterable[Seed], size: int, workers: int) -> Iterator[Windows]:
    """The batches of the seeds in order (they may be endless); processes read ahead where files are read."""
    if source.in_memory or workers < 1:
        yield from (source.batch(seed, size) for seed in seeds)
        return
    on_cpu = _Batches(replace(source, device=torch.device("cpu")), size)
    # Torch takes any iterable as a sampler and hands its items to the data set, in order.
    loader = DataLoader(on_cpu, batch_size=None, sampler=seeds, num_workers=workers, collate_fn=_unchanged)  # pyright: ignore
    for windows in loader:
        values = {name: value.to(source.device, non_blocking=True) for name, value in windows.values.items()}
        valid = {name: value.to(source.device, non_blocking=True) for name, value in windows.valid.items()}
        yield Windows(values, valid, windows.instructions)


@dataclass(frozen=True, slots=True)
class _Batches:
    """A map-style data set whose index is a seed."""

    source: WindowSource
    size: int

    def __getitem__(self, seed: Seed) -> Windows:
        return self.source.batch(seed, self.size)


def _unchanged(windows: Windows) -> Windows:
    return windows


def from_observations(
    frames: Mapping[str, Sequence[Observation]],
    spec: WindowSpec,
    camera: str = "",
    valid: Mapping[str, Sequence[bool]] | None = None,
    device: torch.device | str = "cpu",
) -> Windows:
    """The batch of one example that the store would give, had these observations been recorded.

    `frames` names takes of `spec` and gives the observations at their frames; takes that are not named
    (actions, future frames) are left out. `valid` marks, for takes that need it, the frames that stand in for
    one outside the episode, such as the first frame for those before it. Understood are the keys of
    `observation_arrays`: `rgb.CAM`, `depth_mm.CAM`, `segmentation.CAM`, `K.CAM`, `T_world_camera.CAM`,
    `proprio`, `scene.NAME` and `state`.
    """
    rows: dict[int, dict[str, np.ndarray]] = {}
    values, inside = {}, {}
    for name, observations in frames.items():
        if name not in spec.takes:
            raise UnknownName("take", name, spec.takes)
        if not observations:
            raise UsageError(f"Take {name!r} needs at least one observation.")
        key = spec.takes[name].key.replace(CAMERA, camera)
        for each in observations:
            if id(each) not in rows:
                rows[id(each)] = observation_arrays(each)
            if key not in rows[id(each)]:
                raise DataError(f"Observation at step {each.step}: {UnknownName('key', key, rows[id(each)])}")
        array = np.stack([rows[id(each)][key] for each in observations])
        values[name] = torch.from_numpy(array)[None].to(device)
        marks = (valid or {}).get(name, (True,) * len(observations))
        inside[name] = torch.tensor([marks], dtype=torch.bool, device=device)
    instruction = next(each.instruction for many in frames.values() for each in many)
    return Windows(values, inside, (instruction,))
