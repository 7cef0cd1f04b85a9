"""What a training run tells while it runs: a progress line, metrics.jsonl and TensorBoard."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from kinesight.data.progress import ProgressLine
from kinesight.types.files import write_atomic
from kinesight.types.serial import to_jsonable


class RunReport:
    """Writes numbers of a run; only the main process has one."""

    def __init__(self, folder: Path, name: str, steps: int, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self.metrics = folder / "metrics.jsonl"
        self._drop_after(start)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=start)
        self.line = ProgressLine(name, steps, start)
        self.began = time.monotonic()

    def __enter__(self) -> "RunReport":
        self.line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.line.__exit__(kind, error, trace)
        self.board.close()

    def advance(self, step: int) -> None:
        self.line.update(step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row of numbers and show the losses."""
        elapsed = time.monotonic() - self.began
        row = {"step": step, "seconds": round(elapsed, 2), **values}
        with self.metrics.open("a") as file:
            file.write(json.dumps(to_jsonable(row), allow_nan=False) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)
        losses = " ".join(
            f"{name.removeprefix('loss/')} {v:.4f}" for name, v in values.items() if "loss" in name
        )
        self.line.update(step, losses)

    def _drop_after(self, step: int) -> None:
        """A resumed run writes the rows after its checkpoint again."""
        if not self.metrics.exists():
            return
        rows = [line for line in self.metrics.read_text().splitlines() if line.endswith("}")]
        kept = [line for line in rows if json.loads(line)["step"] <= step]
        write_atomic(self.metrics, "".join(line + "\n" for line in kept))
