"""How far a long phase is: a bar in a terminal, a plain line now and then in a log file."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

QUIET_PERIOD_S = 15.0
"""Where there is no terminal, a line is printed at most this often, and one at the end."""


class ProgressLine:
    """`with ProgressLine("collect", 40, done=12) as line: line.update(13, "2 failed")`, on stderr."""

    def __init__(self, name: str, total: int, done: int = 0, visible: bool = True) -> None:
        console = Console(stderr=True, highlight=False)
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._console = console
        self._bar = Progress(*columns, console=console, disable=not (visible and console.is_terminal))
        self._task = self._bar.add_task(name, total=total, completed=done, pace="", note="")
        self._plain = visible and not console.is_terminal
        self._name, self._total, self._first, self._done, self._note = name, total, done, done, ""
        self._began = self._printed = time.monotonic()

    def __enter__(self) -> "ProgressLine":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._plain:
            self._print()

    def update(self, done: int, note: str | None = None) -> None:
        """So many are done; the note (losses, successes) stays until there is another one."""
        self._done = done
        self._note = self._note if note is None else note
        self._bar.update(self._task, completed=done, pace=self._pace(), note=self._note)
        if self._plain and time.monotonic() - self._printed > QUIET_PERIOD_S:
            self._print()

    def _print(self) -> None:
        self._printed = time.monotonic()
        parts = (f"{self._name}: {self._done}/{self._total}", self._pace(), self._note)
        # Not the console's own print: without a terminal it would break the line at 80 characters.
        print(", ".join(part for part in parts if part), file=self._console.file, flush=True)

    def _pace(self) -> str:
        """Rate of this call, and the time left where something is."""
        rate = (self._done - self._first) / max(time.monotonic() - self._began, 1e-9)
        if not rate:
            return ""
        shown = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"
        left = round((self._total - self._done) / rate)
        return f"{shown}, {duration(left)} left" if self._done < self._total else shown


def duration(seconds: int) -> str:
    """`45 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
