"""Answers that were paid for, one file each, under the digest of their question.

Files are written whole or not at all, so that any number of processes may share a folder; two that ask the
same at once both pay, and one answer stays. A file that cannot be read counts as absent and is replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinesight.language.messages import Message
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.serial import from_json, to_json

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """A message in a file; its pictures are only counted."""

    role: str
    text: str
    images: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer with its question, to be read by eye."""

    answer: str
    tokens_in: int | None
    tokens_out: int | None
    answered_s: float
    """Seconds that the request took which brought the answer."""
    settings: Mapping[str, Any]
    question: tuple[Turn, ...]
    schema: int = SCHEMA


class ChatCache:
    """A folder of answers; without a folder it remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, digest: str) -> Entry | None:
        if self.folder is None:
            return None
        path = self._path(self.folder, digest)
        try:
            entry = from_json(Entry, path.read_text(), str(path))
        except (OSError, UnicodeDecodeError, DataError):
            return None
        return entry if entry.schema == SCHEMA else None

    def put(self, digest: str, entry: Entry) -> None:
        if self.folder is not None:
            write_atomic(self._path(self.folder, digest), to_json(entry))

    @staticmethod
    def _path(folder: Path, digest: str) -> Path:
        return folder / digest[:2] / f"{digest}.json"


def turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    return tuple(Turn(message.role, message.text, len(message.images)) for message in messages)
