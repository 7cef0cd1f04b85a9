"""One cell of a table: a recipe that is trained if need be, and one row measured on its cases.

Any number of processes may work on the cells of one folder. Who works on a cell holds its lock, who trains a
stage that of the stage too, and nobody waits for either with a lock in hand: a cell that cannot go on without
a stage that another process trains is left (`StageInUse`) and tried again later.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from kinesight.data.episodes import EpisodeStore
from kinesight.evaluation.results import FILE_NAME, Results
from kinesight.experiments.evaluation import Announce, recipe_cases, run_row, step_limit
from kinesight.experiments.recipe import Recipe, Stage
from kinesight.experiments.runs import Run, create_run, open_run
from kinesight.experiments.training import check_stages, processes, run_data, train_run
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint
from kinesight.types.errors import KinesightError, UsageError
from kinesight.types.locks import held_elsewhere, lock_if_free
from kinesight.types.sampling import sampled_as
from kinesight.types.serial import to_json


class StageInUse(KinesightError):
    """Another process trains the stage; the message names it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table: what is trained, and what is measured of it."""

    name: str
    recipe: Recipe
    row: str = "agent"
    """A row of `experiments.rows.ROWS`."""

    def __post_init__(self) -> None:
        if self.recipe.training_minutes:
            raise UsageError(
                f"cell {self.name!r}: training_minutes must be 0, got {self.recipe.training_minutes:g}; "
                "cells are compared, and a limit would give them different steps"
            )

    @property
    def folder(self) -> str:
        """Equal for cells that are the same experiment, whatever their recipes are called."""
        recipe = replace(self.recipe, name="", summary="")
        digest = hashlib.sha256(f"{self.row} {to_json(recipe)}".encode()).hexdigest()[:8]
        return f"{re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')}-{digest}"


def with_training_seed(cell: Cell, seed: int) -> Cell:
    """The cell with other first weights, batches and noise in its training; with 0 it is the cell itself.

    Stages keep what their own seeds differ by.
    """
    if seed == 0:
        return cell
    stages = tuple(
        replace(stage, training=replace(stage.training, seed=stage.training.seed + seed))
        for stage in cell.recipe.stages
    )
    return replace(cell, name=f"{cell.name}, seed {seed}", recipe=replace(cell.recipe, stages=stages))


def cell_key(cell: Cell) -> str:
    """The same for cells that are the same experiment."""
    return cell.folder.rpartition("-")[2]


def stage_key(recipe: Recipe, stage: Stage) -> str:
    """Equal for stages that are trained alike: same model, training, data, and earlier stages.

    Runs with a limit of time share with those of the same limit only: their steps are what fitted it.
    """
    before = " ".join(stage_key(recipe, recipe.stage(n)) if n else "" for n in (stage.needs, stage.teacher))
    if stage.imagined_by:  # how it samples is part of what there is to learn
        imaginer = recipe.stage(stage.imagined_by)
        before += f" {stage_key(recipe, imaginer)} {to_json(imaginer.model)}"
    learned = replace(
        stage, name="", needs="", teacher="", model=sampled_as(stage.model, type(stage.model)())
    )
    limit = f" {recipe.training_minutes}" if recipe.training_minutes else ""
    text = f"{before} {to_json(learned)} {to_json(recipe.data)} {to_json(recipe.fine_intervals)}{limit}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run_cell(
    cell: Cell, folder: Path, command: str = "", workers: int = 0, announce: Announce = print
) -> Results:
    """Train what the cell needs and measure it; stages that another cell beside it has are taken."""
    run = create_run(folder, cell.recipe)
    _take_trained(run)
    with run.phase("collect"):
        store = run_data(run, command=command)
    _train_shared(run, store)
    cases = recipe_cases(cell.recipe)
    limit = step_limit(cell.recipe, cases[0].env)
    announce(f"{cell.name}: {len(cases)} episodes")
    with run.phase("evaluate"):
        return run_row(run, cell.row, cases, results_folder(folder), workers or processes(), limit, command)


def results_folder(folder: Path) -> Path:
    return folder / "results"


def is_finished(folder: Path) -> bool:
    """Whether the cell of this folder has its results."""
    return (results_folder(folder) / FILE_NAME).is_file()


def cell_lock(folder: Path) -> Path:
    return _locks(folder) / f"cell-{folder.name.rpartition('-')[2]}"


def awaited_stage(recipe: Recipe, folder: Path) -> str:
    """The stage that keeps a cell from going on since another process trains it; "" if none does."""
    there = _trained(folder.parent)
    left = [stage for stage in recipe.stages if stage_key(recipe, stage) not in there]
    ready = _ready(left)
    in_use = [stage.name for stage in ready if held_elsewhere(_stage_lock(folder, recipe, stage))]
    return in_use[0] if ready and len(in_use) == len(ready) else ""


def _train_shared(run: Run, store: EpisodeStore) -> None:
    """Train the stages that no cell has; those that another process trains come last."""
    left = [stage for stage in run.recipe.stages if not _has(run, stage)]
    if left:
        check_stages(run, store, [stage.name for stage in run.recipe.stages])
    while left:
        before = len(left)
        for stage in _ready(left):
            with lock_if_free(_stage_lock(run.path, run.recipe, stage)) as free:
                if free:
                    _take_trained(run)  # another process may have finished it in the meantime
                    _take_begun(run, stage)
                    train_run(run, store, (stage.name,))
                    left.remove(stage)
        if len(left) == before:
            raise StageInUse(f"{_ready(left)[0].name} is being trained by another process")


def _take_trained(run: Run) -> None:
    """Let the stages that another cell has trained stand in for those that this one has not begun."""
    there = _trained(run.path.parent)
    for stage in run.recipe.stages:
        source = there.get(stage_key(run.recipe, stage))
        if source and source.parent != run.path and not (run.path / stage.name).exists():
            run.take(stage.name, source)


def _take_begun(run: Run, stage: Stage) -> None:
    """Move what another cell has left unfinished here, to go on with it; who calls holds the stage's lock.

    A cell that has its results keeps the stages that they were measured with.
    """
    own, key = run.path / stage.name, stage_key(run.recipe, stage)
    if own.exists() or stage.name in run.record().taken:
        return
    for found, folder, _ in _begun(run.path.parent):
        if found == key and not is_finished(folder.parent):
            folder.rename(own)
            return


def _ready(left: Sequence[Stage]) -> list[Stage]:
    """Stages that need none of those that are left."""
    names = {stage.name for stage in left}
    return [stage for stage in left if not names & {*stage.after}]


def _has(run: Run, stage: Stage) -> bool:
    """Whether the run has trained the stage to its end, or taken it."""
    return stage.name in run.record().taken or _is_whole(run, stage.name)


def _is_whole(run: Run, stage: str) -> bool:
    """Whether the run's own stage has all the steps that it is to make there."""
    checkpoints = run.path / stage / "checkpoints"
    return last_checkpoint(checkpoints) == checkpoint_path(checkpoints, run.stage(stage).training.steps)


def _trained(cells: Path) -> dict[str, Path]:
    """Key of every stage that some cell has trained to its end -> the stage's folder."""
    found: dict[str, Path] = {}
    for key, folder, whole in _begun(cells):
        if whole:
            found.setdefault(key, folder)
    return found


def _begun(cells: Path) -> Iterator[tuple[str, Path, bool]]:
    """Of every stage that some cell has trained: its key, its folder, and whether to its end."""
    for file in sorted(cells.glob("*/recipe.json")):
        run, stages = _stages(file, file.stat().st_mtime_ns)
        for key, name in stages.items():
            if last_checkpoint(run.path / name / "checkpoints"):
                yield key, run.path / name, _is_whole(run, name)


@lru_cache(maxsize=1024)
def _stages(file: Path, written_ns: int) -> tuple[Run, Mapping[str, str]]:
    """The run of a recipe's file and, by its key, the name of each stage; read once as long as it stays."""
    run = open_run(file.parent)
    return run, {stage_key(run.recipe, stage): stage.name for stage in run.recipe.stages}


def _stage_lock(folder: Path, recipe: Recipe, stage: Stage) -> Path:
    return _locks(folder) / f"stage-{stage_key(recipe, stage)}"


def _locks(folder: Path) -> Path:
    """Beside the folder of all cells."""
    return folder.parent.parent / "locks"
