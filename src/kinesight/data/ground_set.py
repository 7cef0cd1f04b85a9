"""Reading a ground set: records by number, each with its picture, camera and scene.

    from kinesight.data.ground_set import GroundSet

    ground = GroundSet("data/ground", subset="train", types=("box", "point"))
    item = ground[0]
    item.record.question, item.record.answer, item.image, item.camera

Frames and episodes are there as well, for what is built on several of them: `frames_of(k)` gives the frames
of an episode, `records_of(j)` the records of a frame.

    ground.json                     `GroundInfo`
    plans/                          the simulated episodes, an `EpisodeStore` without pictures
    frames/000000.safetensors       see `data/ground_file.py`
    card.json, card.md              counts, answers, baselines
    export/NAME.json, images/       what training frameworks read
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from kinesight.data.ground_file import TYPE_NUMBERS, FrameFile, decode_depth, decode_image
from kinesight.types.arrays import Image
from kinesight.types.camera import Camera
from kinesight.types.errors import DataError, lookup
from kinesight.types.ground import (
    RECORD_TYPES,
    SCHEMA,
    SUBSETS,
    GroundEpisode,
    GroundFrame,
    GroundInfo,
    Record,
)
from kinesight.types.serial import from_json, from_jsonable

OPEN_FILES = 64
_FILE = re.compile(r"[0-9]{6,}\.safetensors")


@dataclass(frozen=True, slots=True, eq=False)
class GroundItem:
    """A record with the frame that it is about."""

    record: Record
    frame: GroundFrame
    image: Image
    depth_m: Float32[np.ndarray, "y x"] | None
    """z-depth in metres, 0 is invalid; None where the set holds none."""

    @property
    def camera(self) -> Camera:
        return self.frame.camera


class GroundSet:
    """The records of a folder, or those of one subset or of some types.

    Frames are numbered over the whole folder, whatever the records are restricted to.
    """

    def __init__(self, path: Path | str, subset: str = "", types: Iterable[str] = ()) -> None:
        self.path = Path(path)
        self.subset, self.types = subset, tuple(types)
        self.info = read_ground_info(self.path)
        if subset:
            lookup("subset", subset, dict.fromkeys(SUBSETS))
        wanted = {TYPE_NUMBERS[lookup("record type", name, {t: t for t in RECORD_TYPES})] for name in types}
        self._paths = [self.path / "frames" / name for name in frame_files(self.path)]
        self._files: OrderedDict[int, FrameFile] = OrderedDict()
        self.episodes: tuple[GroundEpisode, ...] = tuple(
            self._file(number).episode for number in range(len(self._paths))
        )
        counts = [self._file(number).frames for number in range(len(self._paths))]
        self._first_frame = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._index = self._records(subset, wanted)

    def __reduce__(self) -> tuple[type, tuple[Path, str, tuple[str, ...]]]:
        return GroundSet, (self.path, self.subset, self.types)

    def __len__(self) -> int:
        """Records."""
        return len(self._index)

    def __getitem__(self, index: int) -> GroundItem:
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        file, number, frame = (int(value) for value in self._index[index])
        frame += int(self._first_frame[file])
        return GroundItem(
            self._record(file, number), self.frame(frame), self.image(frame), self.depth_m(frame)
        )

    def __iter__(self) -> Iterator[GroundItem]:
        return (self[index] for index in range(len(self)))

    def record(self, index: int) -> Record:
        """Record `index` without its picture."""
        file, number, _ = (int(value) for value in self._index[index])
        return self._record(file, number)

    def frame_of(self, index: int) -> int:
        """The number of the frame that record `index` is about."""
        file, _, frame = (int(value) for value in self._index[index])
        return int(self._first_frame[file]) + frame

    @property
    def frame_count(self) -> int:
        return int(self._first_frame[-1])

    def frames_of(self, episode: int) -> range:
        """Numbers of an episode's frames, moments in their order, views and looks of a moment together.

        `episode` counts the set's files, as `episodes` does.
        """
        return range(int(self._first_frame[episode]), int(self._first_frame[episode + 1]))

    def records_of(self, frame: int) -> tuple[Record, ...]:
        """Every record of a frame, whatever the set is restricted to."""
        file, within = self._locate(frame)
        numbers = np.flatnonzero(self._file(file).record_frames == within)
        return tuple(self._record(file, int(number)) for number in numbers)

    def frame(self, frame: int) -> GroundFrame:
        file, within = self._locate(frame)
        opened = self._file(file)
        return from_jsonable(GroundFrame, opened.document("frame", within), str(opened.file.path))

    def image(self, frame: int) -> Image:
        file, within = self._locate(frame)
        return decode_image(self._file(file).bytes_of("image", within))

    def image_bytes(self, frame: int) -> bytes:
        """The coded picture, as an export writes it to a file of its own."""
        file, within = self._locate(frame)
        return self._file(file).bytes_of("image", within)

    def depth_m(self, frame: int) -> Float32[np.ndarray, "y x"] | None:
        file, within = self._locate(frame)
        opened = self._file(file)
        return decode_depth(opened.bytes_of("depth", within)) if opened.has("depth") else None

    def state(self, frame: int) -> Float[np.ndarray, "d"]:
        """The simulator's state; privileged."""
        file, within = self._locate(frame)
        return self._file(file).state(within)

    def _records(self, subset: str, types: set[int]) -> np.ndarray:
        """[records 3]: file, record within it, frame within it."""
        rows = [np.zeros((0, 3), np.int64)]
        for number, episode in enumerate(self.episodes):
            if subset and episode.subset != subset:
                continue
            file = self._file(number)
            kept = np.flatnonzero(
                np.isin(file.record_types, list(types)) if types else file.record_types >= 0
            )
            rows.append(np.stack([np.full(len(kept), number), kept, file.record_frames[kept]], axis=1))
        return np.concatenate(rows)

    def _record(self, file: int, number: int) -> Record:
        opened = self._file(file)
        return from_jsonable(Record, opened.document("record", number), str(opened.file.path))

    def _locate(self, frame: int) -> tuple[int, int]:
        if not 0 <= frame < self.frame_count:
            raise IndexError(f"frame {frame} of {self.frame_count}")
        file = int(np.searchsorted(self._first_frame, frame, side="right")) - 1
        return file, frame - int(self._first_frame[file])

    def _file(self, number: int) -> FrameFile:
        if number in self._files:
            self._files.move_to_end(number)
            return self._files[number]
        while len(self._files) >= OPEN_FILES:
            self._files.popitem(last=False)
        self._files[number] = FrameFile.open(self._paths[number])
        return self._files[number]


def read_ground_info(path: Path) -> GroundInfo:
    file = path / "ground.json"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} is no ground set: cannot read ground.json ({reason}).") from error
    info = from_json(GroundInfo, text, str(file))
    if info.schema != SCHEMA:
        raise DataError(f"{file}: schema {info.schema}, this version reads {SCHEMA}.")
    return info


def frame_files(path: Path) -> list[str]:
    """Names of the finished files of frames, by episode."""
    folder = path / "frames"
    return sorted(p.name for p in folder.iterdir() if _FILE.fullmatch(p.name)) if folder.is_dir() else []
