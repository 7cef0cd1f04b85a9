"""Recorded episodes on disk: one safetensors file each, windows read by slice.

An episode has T actions and T + 1 observations: row t of a frame key is seen before action t, and
`success[t]` holds after action t. A key has T + 1 rows (`rgb.corner`, `proprio`, …) or T rows (`action`,
`success`); which of both is read off its array. Files are written whole or not at all, so that a store can be
opened after any interruption.
"""

import dataclasses
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kinesight.data.array_file import SCHEMA, ArrayFile, Layout, write_arrays
from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.case import Case
from kinesight.types.errors import DataError, UnknownName
from kinesight.types.files import UNFINISHED, write_atomic
from kinesight.types.serial import from_jsonable, parse_json, to_json, to_jsonable

UNITS = {
    "rgb": "uint8 RGB, upright",
    "depth_mm": "millimetres along z, 0 is invalid",
    "segmentation": "ids, names in the episode's text",
    "K": "pixels, centres at +0.5",
    "T_world_camera": "metres, OpenCV axes",
    "proprio": "metres, unit quaternion xyzw, gripper 0 closed to 1 open",
    "action": "-1 to 1, see action",
    "scene": "metres, world frame",
}
OPEN_FILES = 512


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One recorded episode; `arrays` is empty where only the text was asked for."""

    index: int
    case: Case
    instruction: str
    length: int
    """Number of actions T."""
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    """The cameras at the first frame; per frame there are `K.CAM` and `T_world_camera.CAM`."""
    keyframes: tuple[int, ...] = ()
    text: Mapping[str, Any] = field(default_factory=dict)
    """Anything else that JSON can hold: names of segmentation ids, noise, …"""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.length < 1:
            raise DataError(f"An episode needs at least one action, got {self.length} ({self.case}).")
        for key, array in self.arrays.items():
            check_rows(key, array.shape, self.length, str(self.case))
        if list(self.keyframes) != sorted(k for k in set(self.keyframes) if 0 <= k <= self.length):
            raise DataError(
                f"Key frames must rise within 0 … {self.length}, got {self.keyframes} ({self.case})."
            )


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """`dataset.json`: what holds for every episode."""

    tasks: tuple[str, ...]
    cameras: tuple[str, ...]
    fps: float
    action: ActionSpec | None = None
    collector: Mapping[str, Any] = field(default_factory=dict)
    """The configuration that the episodes were collected with."""
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By task: seeds at which the expert failed; their episodes are left out."""
    units: Mapping[str, str] = field(default_factory=lambda: dict(UNITS))
    schema: int = SCHEMA


def check_rows(key: str, shape: Sequence[int], length: int, where: str) -> None:
    if not shape or shape[0] not in (length, length + 1):
        raise DataError(
            f"{where}: array {key!r} of shape {tuple(shape)} has neither {length} rows (one an action) "
            f"nor {length + 1} (one an observation)."
        )


class EpisodeStore:
    """The episodes of a folder, with those derived keys that are named.

    `meta` reads a file's header only, `window` only the rows asked for. One process appends, any number read.
    """

    def __init__(self, path: Path | str, derived: Iterable[str] = ()) -> None:
        self.path = Path(path)
        self.derived = tuple(derived)
        self.info = read_info(self.path)
        self._count = _count_episodes(self.path / "episodes")
        self._files: OrderedDict[int, list[ArrayFile]] = OrderedDict()
        self._metas: dict[int, Episode] = {}
        for name in self.derived:
            self._check_derived(name)
        self._check_names()

    @classmethod
    def create(cls, path: Path | str, info: DatasetInfo) -> "EpisodeStore":
        """A new, empty store; a folder that holds a data set already is an error."""
        file = Path(path) / "dataset.json"
        if file.exists():
            raise DataError(f"{file} exists already.")
        write_atomic(file, to_json(info))
        return cls(path)

    def __reduce__(self) -> tuple[type, tuple[Path, tuple[str, ...]]]:
        return EpisodeStore, (self.path, self.derived)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Episode]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Episode:
        files = self._of_episode(index)
        arrays = {key: file.read(key) for file in files for key in file.layout}
        return dataclasses.replace(self.meta(index), arrays=arrays)

    def meta(self, index: int) -> Episode:
        """The episode without its arrays."""
        if index not in self._metas:
            self._metas[index] = _episode_from_text(self._of_episode(index)[0], index)
        return self._metas[index]

    def layout(self, index: int) -> dict[str, Layout]:
        """Key -> shape and type of the episode's arrays."""
        return {key: layout for file in self._of_episode(index) for key, layout in file.layout.items()}

    def keys(self) -> tuple[str, ...]:
        return tuple(sorted(self.layout(0))) if len(self) else ()

    def window(self, index: int, start: int, length: int, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """Rows start … start + length - 1 of each key, fewer at the episode's end."""
        if start < 0 or length < 0:
            raise ValueError(f"a window needs start >= 0 and length >= 0, got {start} and {length}")
        return {key: self._file_of(index, key).rows(key, start, start + length) for key in keys}

    def append(self, episode: Episode) -> int:
        """Add an episode and return its index; `episode.index` is not looked at."""
        if self._count:
            self._check_same_keys(episode)
        for leftover in (self.path / "episodes").glob(f".*{UNFINISHED}"):
            leftover.unlink(missing_ok=True)
        text = {
            field.name: to_jsonable(getattr(episode, field.name))
            for field in dataclasses.fields(Episode)
            if field.name not in ("index", "arrays")
        }
        write_arrays(file_path(self.path / "episodes", self._count), episode.arrays, text)
        self._count += 1
        return self._count - 1

    def update_info(self, info: DatasetInfo) -> None:
        write_atomic(self.path / "dataset.json", to_json(info))
        self.info = info

    def with_derived(self, *names: str | Path) -> "EpisodeStore":
        """The same episodes with the keys of these derived folders (names or paths) beside their own."""
        return EpisodeStore(self.path, (*self.derived, *(Path(name).name for name in names)))

    def _of_episode(self, index: int) -> list[ArrayFile]:
        """The episode's own file and its derived ones, kept open."""
        if index in self._files:
            self._files.move_to_end(index)
            return self._files[index]
        if not 0 <= index < self._count:
            raise IndexError(f"episode {index} of {self._count} in {self.path}")
        folders = [self.path / "episodes", *(self.path / "derived" / name for name in self.derived)]
        self._files[index] = [ArrayFile(file_path(folder, index)) for folder in folders]
        if len(self._files) > OPEN_FILES:
            self._files.popitem(last=False)
        return self._files[index]

    def _file_of(self, index: int, key: str) -> ArrayFile:
        files = self._of_episode(index)
        for file in files:
            if key in file.layout:
                return file
        available = [key for file in files for key in file.layout]
        raise DataError(f"{files[0].path}: {UnknownName('key', key, available)}")

    def _check_same_keys(self, episode: Episode) -> None:
        """Named points of the scene may differ: a task has its own beside the common ones."""
        stored = {k for k in ArrayFile(file_path(self.path / "episodes", 0)).layout if not _is_scene_point(k)}
        given = {key for key in episode.arrays if not _is_scene_point(key)}
        if missing := sorted(stored - given):
            raise DataError(
                f"{self.path}: the new episode lacks {', '.join(missing)}, which the others have."
            )
        if extra := sorted(given - stored):
            raise DataError(f"{self.path}: the new episode has {', '.join(extra)}, which the others lack.")

    def _check_derived(self, name: str) -> None:
        folder = self.path / "derived" / name
        if not folder.is_dir():
            present = [p.name for p in self.path.glob("derived/*")]
            raise DataError(f"{self.path}: {UnknownName('derived keys', name, present)}")
        if missing := set(range(self._count)) - set(stored_indices(folder)):
            present = self._count - len(missing)
            raise DataError(f"{folder} holds {present} of {self._count} episodes; derive again to finish it.")

    def _check_names(self) -> None:
        """No derived key may hide another key."""
        owner: dict[str, Path] = {}
        for file in self._of_episode(0) if self._count else ():
            for key in file.layout:
                if key in owner:
                    raise DataError(f"{file.path.parent}: {key!r} would hide the same key of {owner[key]}.")
                owner[key] = file.path.parent


def _is_scene_point(key: str) -> bool:
    return key.startswith("scene.")


def read_info(path: Path) -> DatasetInfo:
    file = path / "dataset.json"
    try:
        content = file.read_text()
    except OSError as error:
        raise DataError(f"{path} is no data set: cannot read dataset.json ({error.strerror}).") from error
    data = parse_json(content, str(file))
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise DataError(f"{file}: schema {found!r}, this version reads {SCHEMA}.")
    return from_jsonable(DatasetInfo, data, str(file))


def file_path(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.safetensors"


def stored_indices(folder: Path) -> list[int]:
    """Numbers of the episodes in a folder; what unfinished writes left is no episode."""
    names = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(p.stem) for p in names if re.fullmatch(r"\d{6,}\.safetensors", p.name))


def _count_episodes(folder: Path) -> int:
    indices = stored_indices(folder)
    if missing := sorted(set(range(len(indices))) - set(indices)):
        raise DataError(
            f"{folder}: {file_path(folder, missing[0]).name} is missing, later episodes are there."
        )
    return len(indices)


def _episode_from_text(file: ArrayFile, index: int) -> Episode:
    data = {key: value for key, value in file.text.items() if key != "schema"}
    episode = from_jsonable(Episode, data | {"index": index}, str(file.path))
    for key, layout in file.layout.items():
        check_rows(key, layout.shape, episode.length, str(file.path))
    return episode
