"""Imagined against real: what an episode leaves for the report, under `gallery/TASK-SEED-CAMERA/`.

`item.json` beside JPEG strips, two for each imagined video: `imagined-00.jpg` holds its frames side by side,
`seen-00.jpg` what the camera showed when each of those goals was given up for the next one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kinesight.evaluation.results import EventRecord
from kinesight.types.arrays import Image, Video
from kinesight.types.case import Case
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.serial import from_json, to_json

FOLDER = "gallery"
JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class StripRow:
    """One more strip of a segment, under the real frames."""

    caption: str
    strip: str
    """File name beside `item.json`."""
    frames: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an episode: one imagined video and what happened while it was followed.

    Strips are file names beside `item.json`; `imagined` is empty for agents that imagine nothing, `seen` for
    videos that were never followed.
    """

    step: int
    """When it began."""
    until: int
    """When the next one began, or the episode's end."""
    verdict: str = ""
    """Kind of the event that judged the imagined video, e.g. "accept", and its `reason`."""
    reason: str = ""
    plan: str = ""
    imagined: str = ""
    imagined_frames: int = 0
    seen: str = ""
    seen_steps: tuple[int, ...] = ()
    """Step of every frame of the seen strip; fewer than imagined frames if the end came first."""
    rows: tuple[StripRow, ...] = ()
    """Whatever else an agent compares with the real frames, column by column."""


@dataclass(frozen=True, slots=True)
class GalleryItem:
    """One episode to look at."""

    case: Case
    success: bool
    steps: int
    instruction: str
    segments: tuple[Segment, ...]
    events: tuple[EventRecord, ...] = ()


def case_name(case: Case) -> str:
    """TASK-SEED-CAMERA, and whatever else is not at its default; safe as a file name."""
    parts = [case.task, str(case.seed), case.camera]
    parts += [case.start] if case.start != "standard" else []
    parts += [case.split] if case.split else []
    parts += [f"v{case.variation}"] if case.variation else []
    return "-".join(re.sub(r"[^\w.-]+", "_", part) for part in parts if part)


def encode_strip(frames: Video, height: int) -> bytes:
    """JPEG of the frames side by side, each `height` pixels high."""
    scale = height / frames.shape[1]
    width = max(1, round(frames.shape[2] * scale))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cells = [cv2.resize(frame, (width, height), interpolation=shrink) for frame in frames]
    return encode_jpeg(np.concatenate(cells, axis=1))


def encode_jpeg(image: Image) -> bytes:
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert done, "OpenCV encodes any uint8 image as JPEG"
    return data.tobytes()


def write_item(out: Path, item: GalleryItem, strips: dict[str, bytes]) -> Path:
    """Write the strips, then the item that names them; returns the item's folder under `out/gallery`."""
    folder = out / FOLDER / case_name(item.case)
    for name, data in strips.items():
        write_atomic(folder / name, data)
    write_atomic(folder / "item.json", to_json(item))
    return folder


def read_items(out: Path) -> list[GalleryItem]:
    """All items of an evaluation folder, failures first, then by name."""
    files = sorted((out / FOLDER).glob("*/item.json"))
    items = [from_json(GalleryItem, file.read_text(), str(file)) for file in files]
    return sorted(items, key=lambda item: (item.success, case_name(item.case)))


def read_strip(out: Path, item: GalleryItem, name: str) -> bytes:
    """Bytes of a strip that a segment names."""
    file = out / FOLDER / case_name(item.case) / name
    if not file.is_file():
        raise DataError(f"{file}: missing, but item.json names it")
    return file.read_bytes()


def goal_ends(start: int, until: int, frames: int, advances: Sequence[int] | None) -> tuple[int, ...]:
    """Last step of every goal of a video followed from `start` to `until`.

    `advances` are the steps at which the agent moved on to the next goal; None for an agent that does not
    tell, whose goals are taken to share the time evenly.
    """
    if until <= start or frames < 1:
        return ()
    if advances is None:
        return tuple(start + round((index + 1) * (until - start) / frames) for index in range(frames))
    ends = [step for step in sorted(advances) if start < step < until]
    return (*ends[: frames - 1], until)
