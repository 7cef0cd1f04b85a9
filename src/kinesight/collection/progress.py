"""One line that tells how far a collection is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{60 * task.speed:.1f} episodes/min" if task.speed else "")


@contextmanager
def collection_progress(total: int, done: int) -> Iterator[Callable[[bool, int], None]]:
    """Gives `advance(kept, failures)`, to be called after every attempt."""
    columns = (
        TextColumn("collect"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("collect", total=total, completed=done, failed="")

        def advance(kept: bool, failures: int) -> None:
            note = f"{failures} failed attempts left out" if failures else ""
            progress.update(task, advance=int(kept), failed=note)

        yield advance
