"""Tables of a method: every cell is a recipe that is trained if need be and one row measured on its cases.

    out/cells/NAME-HASH/      a run of the cell's recipe, with its results under results/
    out/cells/…/error.txt     why the cell failed when it was last tried
    out/report.html, tables.json, TABLE.svg

Cells of several tables that are the same experiment share one folder, and stages that are trained alike are
trained once: a later cell takes them from the run that has them. What is finished is never done again, what
failed is tried again by the next call, and the page is written after every cell, so a killed ablation has
lost at most the cell that it was at.
"""

import hashlib
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kinesight.evaluation.provenance import hardware, versions
from kinesight.evaluation.results import Results, read_results
from kinesight.evaluation.tables import Minutes, ResultTable, write_tables
from kinesight.experiments.evaluation import Announce, recipe_cases, run_row, step_limit
from kinesight.experiments.recipe import Recipe, Stage
from kinesight.experiments.runs import Run, create_run, open_run
from kinesight.experiments.training import processes, run_data, train_run
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint
from kinesight.training.loop import Interrupted
from kinesight.types.errors import KinesightError, UsageError, lookup
from kinesight.types.files import write_atomic
from kinesight.types.sampling import sampled_as
from kinesight.types.serial import to_json

ERROR = "error.txt"
"""In a cell's folder: one line that says why it failed, and the traceback."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table: what is trained, and what is measured of it."""

    name: str
    recipe: Recipe
    row: str = "agent"
    """A row of `experiments.rows.ROWS`."""

    @property
    def folder(self) -> str:
        """Equal for cells that are the same experiment, whatever their recipes are called."""
        recipe = replace(self.recipe, name="", summary="")
        digest = hashlib.sha256(f"{self.row} {to_json(recipe)}".encode()).hexdigest()[:8]
        return f"{re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')}-{digest}"


@dataclass(frozen=True, slots=True)
class Ablation:
    """One table; its first cell is what the others are compared with."""

    name: str
    title: str
    note: str
    cells: tuple[Cell, ...]

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
) -> dict[str, ResultTable]:
    """Run the cells of the chosen tables (default: all) that are not finished; the page shows every table.

    A cell that fails, for whatever reason, is announced and marked so, and does not end the others; only an
    interruption does.
    """
    by_name = {ablation.name: ablation for ablation in ablations}
    wanted = [lookup("table", name, by_name) for name in chosen] or list(ablations)
    folders = _folders(ablations)
    found = dict(_finished(ablations, folders, out))
    tried = set(found)
    for ablation in wanted:
        for cell in ablation.cells:
            key = folders[cell_key(cell)]
            if key in tried:
                continue
            tried.add(key)
            announce(f"{ablation.name}, {cell.name}")
            results = _try_cell(cell, out, key, command, workers, announce)
            if results is not None:
                found[key] = results
            _write_page(out, command, _tables(ablations, folders, found, out))
    tables = _tables(ablations, folders, found, out)
    _write_page(out, command, tables)
    return tables


def _try_cell(
    cell: Cell, out: Path, key: str, command: str, workers: int, announce: Announce
) -> Results | None:
    """The cell's results; None where it failed, which its folder then says."""
    folder = out / "cells" / key
    note = folder / ERROR
    note.unlink(missing_ok=True)
    try:
        return run_cell(cell, folder, _trained(out), command, workers, announce)
    except Interrupted:
        raise
    except Exception as error:  # hours of other cells must not hang on what one of them ran into
        kind = "" if isinstance(error, KinesightError) else f"{type(error).__name__}: "
        reason = kind + " ".join(str(error).split())
        write_atomic(note, f"{reason}\n\n{traceback.format_exc()}")
        announce(f"{cell.name} failed: {reason}")
        return None


def cell_key(cell: Cell) -> str:
    """The same for cells that are the same experiment."""
    return cell.folder.rpartition("-")[2]


def run_cell(
    cell: Cell,
    folder: Path,
    trained: Mapping[str, Path],
    command: str = "",
    workers: int = 0,
    announce: Announce = print,
) -> Results:
    """Train what the cell needs and measure it; stages that `trained` has (key -> folder) are taken."""
    run = create_run(folder, cell.recipe)
    for stage in cell.recipe.stages:
        source = trained.get(stage_key(cell.recipe, stage))
        if source and source.parent != folder and not (folder / stage.name).exists():
            run.take(stage.name, source)
    with run.phase("collect"):
        store = run_data(run, command=command)
    train_run(run, store)
    cases = recipe_cases(cell.recipe)
    limit = step_limit(cell.recipe, cases[0].env)
    announce(f"{cell.name}: {len(cases)} episodes")
    with run.phase("evaluate"):
        return run_row(run, cell.row, cases, results_folder(folder), workers or processes(), limit, command)


def results_folder(folder: Path) -> Path:
    return folder / "results"


def stage_key(recipe: Recipe, stage: Stage) -> str:
    """Equal for stages that are trained alike: same model, training, data, first weights and teacher."""
    before = " ".join(stage_key(recipe, recipe.stage(n)) if n else "" for n in (stage.needs, stage.teacher))
    learned = replace(
        stage, name="", needs="", teacher="", model=sampled_as(stage.model, type(stage.model)())
    )
    text = f"{before} {to_json(learned)} {to_json(recipe.data)} {to_json(recipe.fine_intervals)}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _folders(ablations: Sequence[Ablation]) -> dict[str, str]:
    """Key of a cell -> its folder, named by the first cell that has the key."""
    folders: dict[str, str] = {}
    for ablation in ablations:
        for cell in ablation.cells:
            folders.setdefault(cell_key(cell), cell.folder)
    return folders


def _finished(
    ablations: Sequence[Ablation], folders: Mapping[str, str], out: Path
) -> Iterator[tuple[str, Results]]:
    """Folders of the cells that have their results."""
    for folder in dict.fromkeys(folders[cell_key(cell)] for table in ablations for cell in table.cells):
        results = results_folder(out / "cells" / folder)
        if (results / "results.json").is_file():
            yield folder, read_results(results)


def _trained(out: Path) -> dict[str, Path]:
    """Key of every stage that some cell has trained to its end -> the stage's folder."""
    found: dict[str, Path] = {}
    for file in sorted(out.glob("cells/*/recipe.json")):
        run = open_run(file.parent)
        for stage in run.recipe.stages:
            checkpoints = run.stage_folder(stage.name) / "checkpoints"
            if last_checkpoint(checkpoints) == checkpoint_path(checkpoints, stage.training.steps):
                found.setdefault(stage_key(run.recipe, stage), run.stage_folder(stage.name))
    return found


def _tables(
    ablations: Sequence[Ablation], folders: Mapping[str, str], found: Mapping[str, Results], out: Path
) -> dict[str, ResultTable]:
    tables = {}
    for table in ablations:
        keys = {cell.name: folders[cell_key(cell)] for cell in table.cells}
        failed = {name: _failure(out / "cells" / key) for name, key in keys.items() if key not in found}
        spent = {
            cell.name: _minutes(cell, out / "cells" / keys[cell.name])
            for cell in table.cells
            if keys[cell.name] in found
        }
        tables[table.name] = ResultTable(
            table.name,
            table.title,
            table.note,
            {name: found.get(key) for name, key in keys.items()},
            {name: reason for name, reason in failed.items() if reason},
            {name: minutes for name, minutes in spent.items() if minutes},
        )
    return tables


def _failure(folder: Path) -> str:
    """Why the cell failed when it was last tried; empty where it did not."""
    note = folder / ERROR
    return note.read_text().partition("\n")[0] if note.is_file() else ""


def _minutes(cell: Cell, folder: Path) -> Minutes | None:
    """From the run's record; stages that were taken from another run have no time there."""
    seconds = Run(folder, cell.recipe).record().seconds
    training = sum(spent for phase, spent in seconds.items() if phase.startswith("train "))
    return Minutes(training / 60, seconds.get("evaluate", 0.0) / 60) if seconds else None


def _write_page(out: Path, command: str, tables: Mapping[str, ResultTable]) -> None:
    write_tables(out, "Ablations", _lead(command), list(tables.values()))


def _lead(command: str) -> str:
    known = versions()
    machine = hardware()
    commit = known.get("commit", "unknown commit")
    return f"{command or 'kinesight ablate'} · {commit} · {machine['cpu']}, {machine['cores']} cores"
