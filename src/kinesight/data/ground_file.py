"""One file of a ground set: an episode's frames with their pictures, states and records.

`frames/000012.safetensors` belongs to episode 12 and is written whole or not at all, so that one fsync serves
some dozens of pictures. Texts and coded pictures lie behind each other as bytes, `KEY.end` says where each
ends; reading one record or picture reads only its bytes.

====================  =====================  =========================================================
image, image.end      uint8 [n], int64 [f]   JPEG or PNG, RGB
depth, depth.end      the same               PNG, uint16 millimetres along z, 0 is invalid; may be absent
segmentation, ….end   the same               PNG, uint16 ids; may be absent
frame, frame.end      the same               `GroundFrame` as JSON
state                 float32 [f d]          the simulator's state, from which the frame can be drawn again
thumbnail             uint8 [f 16 16 3]      small picture, for finding frames that are nearly the same
record, record.end    uint8 [n], int64 [r]   `Record` as JSON, in the order of the frames
record.frame          int64 [r]              the record's frame within the file
record.type           uint8 [r]              place in `RECORD_TYPES`
====================  =====================  =========================================================

The header's text holds the `GroundEpisode` under "episode", and "segmentation_names" where ids are stored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from kinesight.data.array_file import ArrayFile, write_arrays
from kinesight.types.arrays import Image
from kinesight.types.errors import DataError
from kinesight.types.ground import RECORD_TYPES, GroundEpisode, GroundFrame, Record
from kinesight.types.serial import from_jsonable, to_jsonable

CODECS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "jpeg": (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 95)),
    "png": (".png", (cv2.IMWRITE_PNG_COMPRESSION, 1)),
}
"""Form of the pictures -> ending of such files, and how OpenCV writes them."""
TYPE_NUMBERS = {name: number for number, name in enumerate(RECORD_TYPES)}


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFrame:
    """A frame on its way to its file, pictures coded."""

    frame: GroundFrame
    image: bytes
    thumbnail: UInt8[np.ndarray, "y x 3"]
    state: Float32[np.ndarray, "d"]
    records: tuple[Record, ...]
    depth: bytes = b""
    segmentation: bytes = b""


def encode_image(picture: Image, codec: str) -> bytes:
    ending, options = CODECS[codec]
    return _encode(ending, np.ascontiguousarray(picture[..., ::-1]), options)


def encode_png16(values: np.ndarray) -> bytes:
    """Depth in millimetres or ids; both fit into 16 bits."""
    return _encode(".png", values.astype(np.uint16), (cv2.IMWRITE_PNG_COMPRESSION, 1))


def decode_image(data: bytes) -> Image:
    return np.ascontiguousarray(_decode(data, cv2.IMREAD_COLOR)[..., ::-1])


def decode_depth(data: bytes) -> Float32[np.ndarray, "y x"]:
    """Metres."""
    return _decode(data, cv2.IMREAD_UNCHANGED).astype(np.float32) / 1000


def write_frames(
    path: Path, episode: GroundEpisode, frames: Sequence[DrawnFrame], names: Mapping[int, str] | None = None
) -> None:
    """The file of one episode; `names` of segmentation ids."""
    records = [(number, record) for number, each in enumerate(frames) for record in each.records]
    arrays = {
        **_packed("image", [each.image for each in frames]),
        **_packed("frame", [_json(each.frame) for each in frames]),
        **_packed("record", [_json(record) for _, record in records]),
        "record.frame": np.array([number for number, _ in records], np.int64),
        "record.type": np.array([TYPE_NUMBERS[record.type] for _, record in records], np.uint8),
    }
    if frames:
        arrays["state"] = np.stack([each.state for each in frames])
        arrays["thumbnail"] = np.stack([each.thumbnail for each in frames])
    for key in ("depth", "segmentation"):
        if any(coded := [getattr(each, key) for each in frames]):
            arrays |= _packed(key, coded)
    text: dict[str, Any] = {"episode": to_jsonable(episode)}
    if names:
        text["segmentation_names"] = to_jsonable(dict(names))
    write_arrays(path, arrays, text)


@dataclass(frozen=True, slots=True)
class FrameFile:
    """`frames/000012.safetensors` opened for reading."""

    file: ArrayFile
    ends: dict[str, Int64[np.ndarray, "n"]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> "FrameFile":
        return cls(ArrayFile(path))

    @property
    def episode(self) -> GroundEpisode:
        return from_jsonable(GroundEpisode, self.file.text["episode"], str(self.file.path))

    @property
    def names(self) -> dict[int, str]:
        """Segmentation id -> "object/part"; empty where ids are not stored."""
        return {int(key): name for key, name in self.file.text.get("segmentation_names", {}).items()}

    @property
    def frames(self) -> int:
        return self.file.layout["image.end"].shape[0]

    @property
    def record_frames(self) -> Int64[np.ndarray, "n"]:
        return self.file.read("record.frame")

    @property
    def record_types(self) -> UInt8[np.ndarray, "n"]:
        return self.file.read("record.type")

    @property
    def thumbnails(self) -> UInt8[np.ndarray, "n y x 3"]:
        return self.file.read("thumbnail") if self.frames else np.zeros((0, 1, 1, 3), np.uint8)

    def state(self, frame: int) -> Float[np.ndarray, "d"]:
        return self.file.rows("state", frame, frame + 1)[0]

    def has(self, key: str) -> bool:
        return key in self.file.layout

    def bytes_of(self, key: str, number: int) -> bytes:
        if key not in self.ends:
            self.ends[key] = self.file.read(f"{key}.end")
        ends = self.ends[key]
        start = int(ends[number - 1]) if number else 0
        return self.file.rows(key, start, int(ends[number])).tobytes()

    def document(self, key: str, number: int) -> Any:
        """The JSON document of a frame or a record, for counting; `from_jsonable` makes the value."""
        return json.loads(self.bytes_of(key, number))


def _packed(key: str, parts: Sequence[bytes]) -> dict[str, np.ndarray]:
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    return {key: np.frombuffer(b"".join(parts), np.uint8), f"{key}.end": ends}


def _json(value: GroundFrame | Record) -> bytes:
    document = to_jsonable(value)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _encode(ending: str, picture: np.ndarray, options: Sequence[int]) -> bytes:
    done, data = cv2.imencode(ending, picture, list(options))
    assert done, "OpenCV codes every picture of this kind"
    return data.tobytes()


def _decode(data: bytes, mode: int) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    if picture is None:
        raise DataError(f"{len(data)} bytes of a ground set are no picture; the file is damaged.")
    return picture
