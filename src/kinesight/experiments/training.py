"""From a recipe to a trained run: collect, derive plans, train every stage."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from kinesight.collection.collect import CollectionConfig, collect
from kinesight.collection.hindsight import with_hindsight_plans
from kinesight.data.episodes import EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.data.windows import WindowSource, open_windows, prefetching
from kinesight.experiments.recipe import Recipe, Stage
from kinesight.experiments.runs import Run
from kinesight.interfaces.model import TrainableModel
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint
from kinesight.training.loop import Batches, train
from kinesight.types.errors import DataError
from kinesight.types.serial import to_json, to_jsonable


def own_folder(name: str, config: CollectionConfig) -> Path:
    """`data/NAME-HASH`: a collection that is found again as long as its settings are the same."""
    digest = hashlib.sha256(to_json(config).encode()).hexdigest()[:8]
    return Path("data") / f"{name}-{digest}"


def default_data(recipe: Recipe) -> Path:
    """The recipe's own collection, under the folder that the command is started in."""
    return own_folder(recipe.name, recipe.data)


def processes() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_data(config: CollectionConfig, path: Path, command: str = "") -> EpisodeStore:
    """The recipe's own collection, completed where it is not, with hindsight plans."""
    store = collect(config, path, workers=processes(), command=command)
    return with_hindsight_plans(store, workers=processes())


def open_data(path: Path) -> EpisodeStore:
    """A data set that was collected before, with hindsight plans."""
    if not (path / "dataset.json").exists():
        raise DataError(f"{path}: no data set here (dataset.json is missing); see kinesight collect --help")
    return with_hindsight_plans(EpisodeStore(path), workers=processes())


def run_data(run: Run, given: Path | None = None, command: str = "") -> EpisodeStore:
    """The given data set, else the one that the run was trained on before, else the recipe's own."""
    own, recorded = default_data(run.recipe), run.record().data
    path = given or Path(recorded or own)
    if recorded and Path(recorded).exists() and path.resolve() != Path(recorded).resolve():
        raise DataError(
            f"{run.path} was trained on {recorded}, not on {path}; name another folder for the run with --out"
        )
    return prepare_data(run.recipe.data, path, command) if path.name == own.name else open_data(path)


def train_run(run: Run, store: EpisodeStore, stages: Sequence[str] = ()) -> None:
    """Train the named stages (or all) in order, each from its last checkpoint; a trained one is left."""
    chosen = [run.recipe.stage(name) for name in stages] or list(run.recipe.stages)
    run.note_data(store.path)
    for stage in chosen:
        checkpoints = run.stage_folder(stage.name) / "checkpoints"
        if last_checkpoint(checkpoints) == checkpoint_path(checkpoints, stage.training.steps):
            continue
        with run.phase(f"train {stage.name}"):
            train_stage(run, stage, store)


def train_stage(run: Run, stage: Stage, store: EpisodeStore) -> None:
    facts = data_facts(store)
    torch.manual_seed(stage.training.seed)
    model = stage.model.build(facts)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainable: TrainableModel = model
    sources = {
        stream.source: _batches(
            open_windows(store, stream.windows, facts.cameras, device), stage.training.workers
        )
        for stream in trainable.streams.values()
    }
    description = {"stage": to_jsonable(stage), "facts": to_jsonable(facts)}
    train(model, sources, stage.training, run.stage_folder(stage.name), description, name=stage.name)


def _batches(source: WindowSource, workers: int) -> Batches:
    return lambda seeds, size: prefetching(source, seeds, size, workers)
