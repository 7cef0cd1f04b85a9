"""Tables of a method: every cell is a recipe that is trained if need be and one row measured on its cases.

    out/cells/NAME-HASH/      a run of the cell's recipe, with its results under results/
    out/cells/…/error.txt     why the cell failed when it was last tried
    out/locks/                of what some process is at
    out/report.html, tables.json, TABLE.svg

Cells of several tables that are the same experiment share one folder, and stages that are trained alike are
trained once: a later cell takes them from the run that has them. What is finished is never done again, what
failed is tried again by the next call, and the page is written after every cell, so a killed ablation has
lost at most the cell that it was at. Several calls at the same time share the work (see `cells`).
"""

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinesight.evaluation.provenance import hardware, versions
from kinesight.evaluation.results import Results, pooled, read_results
from kinesight.evaluation.tables import RECORD, Minutes, ResultTable, write_tables
from kinesight.experiments.cells import (
    Cell,
    StageInUse,
    awaited_stage,
    cell_key,
    cell_lock,
    is_finished,
    results_folder,
    run_cell,
    with_training_seed,
)
from kinesight.experiments.evaluation import Announce
from kinesight.experiments.runs import Run
from kinesight.training.loop import Interrupted
from kinesight.types.errors import KinesightError, UsageError, lookup
from kinesight.types.files import write_atomic
from kinesight.types.locks import lock_if_free, waited_for
from kinesight.types.serial import parse_json, to_json

ERROR = "error.txt"
"""In a cell's folder: one line that says why it failed, and the traceback."""
PAUSE_S = 10.0
"""Between two looks at what other processes are at."""


class CellsFailed(KinesightError):
    """Some cells have no results; the message names them."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """One table; its first cell is what the others are compared with."""

    name: str
    title: str
    note: str
    cells: tuple[Cell, ...]
    minutes: float = 0.0
    """What one training of a cell's own stages is meant to take; the page names those over it. 0: unsaid."""

    def __post_init__(self) -> None:
        names = [cell.name for cell in self.cells]
        if not names or len(set(names)) < len(names):
            raise UsageError(f"ablation {self.name!r} needs cells of different names, got {names}")
        cases = {to_json(cell.recipe.evaluation) for cell in self.cells}
        if len(cases) > 1:
            raise UsageError(f"the cells of ablation {self.name!r} must be measured on the same cases")


def run_ablations(
    ablations: Sequence[Ablation],
    out: Path,
    chosen: Sequence[str] = (),
    command: str = "",
    workers: int = 0,
    announce: Announce = print,
    seeds: Sequence[int] = (0,),
) -> dict[str, ResultTable]:
    """Run the cells of the chosen tables (default: all) that are not finished; the page shows every table.

    Every cell is trained and measured with each of the training seeds, the first seed of all cells first.

    A cell that fails, for whatever reason, is announced and marked so, and does not end the others; only an
    interruption does. What another process is at is left to it and waited for at the end, then taken from it,
    or gone on with if the process has died.
    """
    pending, told = _tasks(ablations, out, chosen, seeds), ""
    work = _Work(tuple(ablations), out, command, workers, announce, tuple(seeds))
    while pending:
        left = [task for task in pending if not work.settle(task)]
        if len(left) == len(pending):
            names = "; ".join(task.title for task in left)
            if names != told:
                announce(f"waiting for other processes, which are at {names}")
            told = names
            time.sleep(PAUSE_S)
        pending = left
    return work.write_page()


def chosen_tables(ablations: Sequence[Ablation], names: Sequence[str] = ()) -> tuple[Ablation, ...]:
    """Those of these names, all without any; an unknown name is answered with the list."""
    by_name = {ablation.name: ablation for ablation in ablations}
    return tuple(lookup("table", name, by_name) for name in names) or tuple(ablations)


def failed_cells(
    ablations: Sequence[Ablation], out: Path, chosen: Sequence[str] = (), seeds: Sequence[int] = (0,)
) -> tuple[str, ...]:
    """Table and name of the cells of the chosen tables that failed when they were last tried."""
    tasks = _tasks(ablations, out, chosen, seeds)
    return tuple(task.title for task in tasks if task.failed_ns and not is_finished(task.folder))


@dataclass(frozen=True, slots=True)
class _Task:
    """A cell that is to be measured."""

    title: str
    cell: Cell
    folder: Path
    failed_ns: int
    """When it had failed before this call, 0 for never."""


def _tasks(
    ablations: Sequence[Ablation], out: Path, chosen: Sequence[str], seeds: Sequence[int]
) -> list[_Task]:
    """Cells of the chosen tables (none: all) with every training seed, each once."""
    wanted = chosen_tables(ablations, chosen)
    folders = _folders(ablations, out, seeds)
    tasks: dict[Path, _Task] = {}
    for seed in seeds:
        for ablation in wanted:
            for cell in (with_training_seed(cell, seed) for cell in ablation.cells):
                folder = folders[cell_key(cell)]
                task = _Task(f"{ablation.name}, {cell.name}", cell, folder, _failed_ns(folder))
                tasks.setdefault(folder, task)
    return list(tasks.values())


@dataclass(frozen=True, slots=True)
class _Work:
    """One call's share of the cells."""

    ablations: tuple[Ablation, ...]
    out: Path
    command: str
    workers: int
    announce: Announce
    seeds: tuple[int, ...]

    def settle(self, task: _Task) -> bool:
        """Measure the cell if nobody has; False where that is up to another process for now."""
        if _is_settled(task):
            return True
        with lock_if_free(cell_lock(task.folder)) as free:
            if not free or awaited_stage(task.cell.recipe, task.folder):
                return False
            if _is_settled(task):  # by another process in the meantime
                return True
            self.announce(task.title)
            settled = self._try_cell(task)
        self.write_page()
        return settled

    def _try_cell(self, task: _Task) -> bool:
        """Run the cell; why it failed, if it did, is said in its folder."""
        note = task.folder / ERROR
        note.unlink(missing_ok=True)
        try:
            run_cell(task.cell, task.folder, self.command, self.workers, self.announce)
        except Interrupted:
            raise
        except StageInUse:
            return False
        except Exception as error:  # hours of other cells must not hang on what one of them ran into
            kind = "" if isinstance(error, KinesightError) else f"{type(error).__name__}: "
            reason = kind + " ".join(str(error).split())
            write_atomic(note, f"{reason}\n\n{traceback.format_exc()}")
            self.announce(f"{task.cell.name} failed: {reason}")
        return True

    def write_page(self) -> dict[str, ResultTable]:
        """Every table as far as any process has come; one process at a time reads cells and writes."""
        with waited_for(self.out / "locks" / "page", "page of tables"):
            seeds = tuple(sorted({*self.seeds, *_shown_seeds(self.out)}))
            folders = _folders(self.ablations, self.out, seeds)
            found = dict(_finished(folders))
            tables = {table.name: _table(table, folders, found, seeds) for table in self.ablations}
            write_tables(self.out, "Ablations", _lead(self.command), list(tables.values()))
        return tables


def _is_settled(task: _Task) -> bool:
    """Whether the cell has its results, or has failed since this call began, here or in another process."""
    return is_finished(task.folder) or _failed_ns(task.folder) not in (0, task.failed_ns)


def _failed_ns(folder: Path) -> int:
    note = folder / ERROR
    return note.stat().st_mtime_ns if note.is_file() else 0


def _shown_seeds(out: Path) -> tuple[int, ...]:
    """Training seeds that the page has shown so far: another call may have asked for other ones."""
    file = out / RECORD
    record = parse_json(file.read_text(), str(file)) if file.is_file() else {}
    return tuple({seed for table in record.values() for seed in table.get("training_seeds", [0])})


def _folders(ablations: Sequence[Ablation], out: Path, seeds: Sequence[int]) -> dict[str, Path]:
    """Key of a cell with a training seed -> its folder, named by the first cell that has the key."""
    folders: dict[str, Path] = {}
    for seed in seeds:
        for ablation in ablations:
            for cell in (with_training_seed(cell, seed) for cell in ablation.cells):
                folders.setdefault(cell_key(cell), out / "cells" / cell.folder)
    return folders


def _finished(folders: Mapping[str, Path]) -> Iterator[tuple[str, Results]]:
    """Keys of the cells that have their results."""
    for key, folder in folders.items():
        if is_finished(folder):
            yield key, read_results(results_folder(folder))


def _table(
    table: Ablation, folders: Mapping[str, Path], found: Mapping[str, Results], seeds: Sequence[int]
) -> ResultTable:
    """As far as its cells have come; a row is pooled over the training seeds that it has."""
    rows: dict[str, Results | None] = {}
    failed, minutes, longest = {}, {}, {}
    for cell in table.cells:
        seeded = {seed: with_training_seed(cell, seed) for seed in seeds}
        keys = {seed: cell_key(own) for seed, own in seeded.items()}
        there = {seed: found[key] for seed, key in keys.items() if key in found}
        alone = tuple(seeds) == (0,)
        rows[cell.name] = (there[0] if alone else pooled(there)) if there else None
        reasons = {seed: _failure(folders[key]) for seed, key in keys.items() if seed not in there}
        told = [text if alone else f"seed {seed}: {text}" for seed, text in reasons.items() if text]
        if told:
            failed[cell.name] = "; ".join(told)
        spent = [_minutes(seeded[seed], folders[keys[seed]]) for seed in there]
        if known := [cost for cost in spent if cost is not None]:
            minutes[cell.name] = Minutes(
                sum(cost.training for cost in known), sum(cost.evaluation for cost in known)
            )
            longest[cell.name] = max(cost.training for cost in known)
    note = f"{table.note} {_over_budget(longest, table.minutes)}".strip()
    return ResultTable(table.name, table.title, note, rows, failed, minutes, tuple(seeds))


def _over_budget(longest: Mapping[str, float], minutes: float) -> str:
    """Which cells took more than so many minutes to train; nothing where none did, or none is said."""
    told = [f"{name} ({spent:.1f})" for name, spent in longest.items() if minutes and spent > minutes]
    return (
        f"Trained for longer than the {minutes:g} minutes of the budget: {', '.join(told)}." if told else ""
    )


def _failure(folder: Path) -> str:
    """Why the cell failed when it was last tried; empty where it did not."""
    note = folder / ERROR
    return note.read_text().partition("\n")[0] if note.is_file() else ""


def _minutes(cell: Cell, folder: Path) -> Minutes | None:
    """From the run's record; stages that were taken from another run have no time there."""
    seconds = Run(folder, cell.recipe).record().seconds
    training = sum(spent for phase, spent in seconds.items() if phase.startswith("train "))
    return Minutes(training / 60, seconds.get("evaluate", 0.0) / 60) if seconds else None


def _lead(command: str) -> str:
    known = versions()
    machine = hardware()
    commit = known.get("commit", "unknown commit")
    return f"{command or 'kinesight ablate'} · {commit} · {machine['cpu']}, {machine['cores']} cores"
