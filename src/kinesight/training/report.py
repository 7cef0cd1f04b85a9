"""What a training run tells while it runs: a progress line, metrics.jsonl and TensorBoard."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kinesight.types.files import write_atomic
from kinesight.types.serial import to_jsonable

QUIET_PERIOD_S = 15.0
"""Where there is no terminal, a line is printed at most this often."""


class RunReport:
    """Writes numbers of a run; only the main process has one."""

    def __init__(self, folder: Path, name: str, steps: int, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self.metrics = folder / "metrics.jsonl"
        self._drop_after(start)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=start)
        self.console = Console()
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.progress.add_task(name, total=steps, completed=start, rate="", losses="")
        self.name, self.steps = name, steps
        self.began, self.first, self.printed = time.monotonic(), start, time.monotonic()

    def __enter__(self) -> "RunReport":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        self.board.close()

    def advance(self, step: int) -> None:
        self.progress.update(self.task, completed=step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row of numbers and show the losses."""
        elapsed = time.monotonic() - self.began
        rate = (step - self.first) / max(elapsed, 1e-9)
        row = {"step": step, "seconds": round(elapsed, 2), **values}
        with self.metrics.open("a") as file:
            file.write(json.dumps(to_jsonable(row), allow_nan=False) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)
        losses = " ".join(
            f"{name.removeprefix('loss/')} {v:.4f}" for name, v in values.items() if "loss" in name
        )
        self.progress.update(self.task, rate=f"{rate:.1f} steps/s", losses=losses)
        if self.progress.disable and (time.monotonic() - self.printed > QUIET_PERIOD_S or step == self.steps):
            self.printed = time.monotonic()
            left = (self.steps - step) / max(rate, 1e-9)
            print(
                f"{self.name}: {step}/{self.steps}, {rate:.2f} steps/s, {left:.0f} s left, {losses}",
                flush=True,
            )

    def _drop_after(self, step: int) -> None:
        """A resumed run writes the rows after its checkpoint again."""
        if not self.metrics.exists():
            return
        rows = [line for line in self.metrics.read_text().splitlines() if line.endswith("}")]
        kept = [line for line in rows if json.loads(line)["step"] <= step]
        write_atomic(self.metrics, "".join(line + "\n" for line in kept))
