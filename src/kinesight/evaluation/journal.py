"""Finished episodes of an evaluation that may be killed: `episodes.jsonl`, one line each.

A line carries the agent's hash; an episode counts as done if hash and case are those asked for. A line that
a dying process left unfinished is dropped, its episode runs again. One process at a time may write.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kinesight.evaluation.results import EpisodeRecord, from_record, to_record
from kinesight.types.case import Case
from kinesight.types.errors import DataError, InUse
from kinesight.types.files import write_atomic
from kinesight.types.locks import LOCK, lock_if_free
from kinesight.types.results import EpisodeResult
from kinesight.types.serial import from_json, to_jsonable

FILE_NAME = "episodes.jsonl"


@dataclass(frozen=True, slots=True)
class Line:
    agent: str
    episode: EpisodeRecord


class Journal:
    """The episodes that one agent has finished in an evaluation's folder."""

    def __init__(self, out: Path, agent_hash: str) -> None:
        if not agent_hash:
            raise ValueError(
                "a journal needs the agent's hash: without it another agent's episodes would count"
            )
        self.out = out
        self._agent = agent_hash
        self._path = out / FILE_NAME

    @contextmanager
    def held(self) -> Iterator[None]:
        """For the time of an evaluation: another one that wants the same folder is refused."""
        with lock_if_free(self.out / LOCK) as free:
            if not free:
                raise InUse(
                    f"{self.out} is in use: another process is evaluating into it. Wait until it has ended, "
                    "or name another folder with --out DIR"
                )
            yield

    def finished(self) -> dict[Case, EpisodeResult]:
        """By case; what the last process left unfinished is cut off the file."""
        if not self._path.is_file():
            return {}
        whole, _, rest = self._path.read_text(errors="replace").rpartition("\n")
        if rest:
            write_atomic(self._path, whole + "\n" if whole else "")
        results: dict[Case, EpisodeResult] = {}
        for number, text in enumerate(whole.splitlines(), 1):
            line = from_json(Line, text, f"{self._path}, line {number}")
            if line.agent == self._agent:
                results[line.episode.case] = from_record(line.episode)
        return results

    def append(self, result: EpisodeResult) -> None:
        text = json.dumps(to_jsonable(Line(self._agent, to_record(result))), allow_nan=False)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(text + "\n")
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written: {error.strerror or error}") from error
