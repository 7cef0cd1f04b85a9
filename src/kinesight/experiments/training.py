"""From a recipe to a trained run: collect, derive plans, train every stage."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from kinesight.collection.collect import CollectionConfig, collect
from kinesight.collection.fine_intervals import with_fine_intervals
from kinesight.collection.hindsight import with_hindsight_plans
from kinesight.data.episodes import EpisodeStore
from kinesight.data.facts import data_facts
from kinesight.data.windows import WindowSource, open_windows, prefetching
from kinesight.envs import catalogue as envs
from kinesight.experiments.clips import source_stores
from kinesight.experiments.devices import training_device
from kinesight.experiments.pace import affordable_steps, seconds_a_step
from kinesight.experiments.probes import stage_probes
from kinesight.experiments.recipe import Recipe, Stage
from kinesight.experiments.runs import Run, check_needed, check_recipe, load_stage, weights_digest
from kinesight.experiments.systems import system_of
from kinesight.experiments.taught import (
    adopt_teacher,
    check_data,
    check_teacher,
    stream_cameras,
    with_taught_keys,
)
from kinesight.interfaces.model import Pretrained, TrainableModel
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.nn.checkpoint import load_into
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint, read_description
from kinesight.training.loop import Batches, train
from kinesight.types.errors import DataError, NotRecorded, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.serial import to_json, to_jsonable


def own_folder(name: str, config: CollectionConfig) -> Path:
    """`data/NAME-HASH`: a collection that is found again as long as its settings are the same."""
    document = to_jsonable(config)
    if config.split == "train":  # a setting that came later: collections of before are found again
        del document["split"]
    if shown := envs.revised(config.env, config.tasks):
        document["revised"] = shown
    digest = hashlib.sha256(to_json(document).encode()).hexdigest()[:8]
    return Path("data") / f"{name}-{digest}"


def default_data(recipe: Recipe) -> Path:
    """The recipe's own collection, under the folder that the command is started in."""
    return own_folder(recipe.data_name or recipe.name, recipe.data)


def processes() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_data(config: CollectionConfig, path: Path, command: str = "", plans: bool = True) -> EpisodeStore:
    """The recipe's own collection, completed where it is not, with hindsight plans if they are wanted."""
    store = collect(config, path, workers=processes(), command=command)
    return with_hindsight_plans(store, workers=processes()) if plans else store


def open_data(path: Path, plans: bool = True) -> EpisodeStore:
    """A data set that was collected before, with hindsight plans if they are wanted."""
    if not (path / "dataset.json").exists():
        raise DataError(f"{path}: no data set here (dataset.json is missing); see kinesight collect --help")
    store = EpisodeStore(path)
    return with_hindsight_plans(store, workers=processes()) if plans else store


def run_data(run: Run, given: Path | None = None, command: str = "") -> EpisodeStore:
    """The given data set, else the one that the run was trained on before, else the recipe's own."""
    own, recorded = default_data(run.recipe), run.record().data
    path = given or Path(recorded or own)
    if recorded and Path(recorded).exists() and path.resolve() != Path(recorded).resolve():
        raise DataError(
            f"{run.path} was trained on {recorded}, not on {path}; name another folder for the run with --out"
        )
    plans = system_of(run.recipe).plans(run.recipe)
    if path.name == own.name:
        return prepare_data(run.recipe.data, path, command, plans)
    return open_data(path, plans)


def train_run(run: Run, store: EpisodeStore, stages: Sequence[str] = ()) -> None:
    """Train the named stages (or all) in order, each from its last checkpoint.

    One that is trained, or taken from another run, is left.
    """
    names = stages or [stage.name for stage in run.recipe.stages]
    check_recipe(run)  # before anything is trained another process may have given the folder another one
    check_stages(run, store, names)
    run.note_data(store.path)
    fit_steps(run, store)
    store = _with_intervals(run.recipe, store)
    for stage in map(run.stage, names):
        if _done(run, stage):
            continue
        stores = (store, *stage_data(run, stage))
        with run.phase(f"train {stage.name}"):
            train_stage(run, stage, stores)


def check_settings(run: Run, stages: Sequence[str] = ()) -> None:
    """Refuse what shows without data: a stage that lacks an earlier one, or does not fit its teacher."""
    names = stages or [stage.name for stage in run.recipe.stages]
    for place, stage in enumerate(map(run.stage, names)):
        if _done(run, stage):
            continue
        check_teacher(run.recipe, stage)
        for other in stage.after:
            if lacking := _lacking(run, other, names[:place]):
                asked = [own.name for own in run.recipe.stages if own.name in (*names, *lacking)]
                raise DataError(
                    f"{run.path}: {stage.name} needs {other}, which is not trained; train it first: "
                    f"kinesight train {run.recipe.name} --stage {','.join(asked)} --out {run.path}, "
                    f"or take it from another run: --init {other}=RUN"
                )


def untrained(run: Run) -> list[str]:
    """Stages of which there is no checkpoint, here or where they were taken from."""
    return [
        s.name for s in run.recipe.stages if not last_checkpoint(run.stage_folder(s.name) / "checkpoints")
    ]


def _lacking(run: Run, name: str, earlier: Sequence[str]) -> list[str]:
    """The stage, if it is neither trained nor among the earlier ones, and what it lacks itself."""
    if name in earlier or name not in untrained(run):
        return []
    return [name, *(lack for other in run.stage(name).after for lack in _lacking(run, other, earlier))]


def check_stages(run: Run, store: EpisodeStore, names: Sequence[str]) -> None:
    """Refuse what a late stage of these could not be trained on before hours go into the early ones."""
    check_settings(run, names)
    facts = data_facts(store)
    for stage in map(run.stage, names):
        if not _done(run, stage):
            _check_stage(run, stage, store, facts)


def _check_stage(run: Run, stage: Stage, store: EpisodeStore, facts: DataFacts) -> None:
    """Data, weights that it begins from, the stage that teaches it; one that has begun had what it needs."""
    model = build_model(stage, store, facts)
    if last_checkpoint(run.stage_folder(stage.name) / "checkpoints"):
        return
    check_data(run, stage, model, store, facts)
    if stage.needs:
        check_needed(run.recipe, stage)
    elif isinstance(model, Pretrained):
        model.load_pretrained()
    teacher = run.stage(stage.teacher) if stage.teacher else None
    if teacher is None:
        adopt_teacher(stage, model, None)
    elif _done(run, teacher):
        adopt_teacher(stage, model, load_stage(run, teacher.name).model)
    else:
        adopt_teacher(stage, model, build_model(teacher, store, facts))


def _done(run: Run, stage: Stage) -> bool:
    """Trained, or taken from another run."""
    checkpoints = run.stage_folder(stage.name) / "checkpoints"
    trained = last_checkpoint(checkpoints) == checkpoint_path(checkpoints, stage.training.steps)
    return trained or stage.name in run.record().taken


def build_model(stage: Stage, store: EpisodeStore, facts: DataFacts) -> nn.Module:
    """A stage's model for the data set of these facts; data that lack what it learns from are refused."""
    torch.manual_seed(stage.training.seed)
    try:
        return stage.model.build(facts)
    except NotRecorded as error:
        raise DataError(
            f"{store.path}: {stage.name} needs {error.key!r}, which is not recorded; there are "
            f"{', '.join(store.keys())}. Stages that learn from video alone are trained on it by --stage"
        ) from None


def fit_steps(run: Run, store: EpisodeStore) -> None:
    """Shorten the stages of a new run to what this machine does in the recipe's `training_minutes`.

    Stages that were taken from another run cost nothing; one that learns from what another imagines makes all
    its steps.
    """
    recipe, record = run.recipe, run.record()
    own = [stage for stage in recipe.stages if stage.name not in record.taken and not stage.imagined_by]
    begun = any(last_checkpoint(run.path / stage.name / "checkpoints") for stage in own)
    if not recipe.training_minutes or not own or record.steps or begun:
        return
    pace, store = {}, _with_intervals(recipe, store)
    with run.phase("pace"):
        for stage in own:
            if stage.teacher:
                raise UsageError(
                    f"training_minutes cannot be kept where {stage.name} learns from {stage.teacher}, which "
                    "has to be trained before a step can be timed; leave it at 0"
                )
            # What it begins from does not change how long a step takes.
            alone = replace(stage, needs="")
            pace[stage.name] = seconds_a_step(alone, lambda *args: _train(run, (store,), *args))
    run.note_steps(affordable_steps(recipe, pace))


def _with_intervals(recipe: Recipe, store: EpisodeStore) -> EpisodeStore:
    """With fine-manipulation intervals, where a model of the recipe takes its frames by them."""
    models = [stage.model for stage in recipe.stages]
    if any(isinstance(model, VideoDiffusionConfig) and model.fine_rate != 1 for model in models):
        return with_fine_intervals(store, recipe.fine_intervals, processes())
    return store


def stage_data(run: Run, stage: Stage) -> tuple[EpisodeStore, ...]:
    """What the stage is trained on beside the run's data; collected where it is not there yet."""
    if stage.extra_data is None:
        return ()
    name = f"{run.recipe.data_name or run.recipe.name}-{stage.name}"
    path = Path(run.record().extra_data.get(stage.name, own_folder(name, stage.extra_data)))
    with run.phase("collect"):
        store = _with_intervals(
            run.recipe, prepare_data(stage.extra_data, path, plans=system_of(run.recipe).plans(run.recipe))
        )
    run.note_extra_data(stage.name, path)
    return (store,)


def train_stage(run: Run, stage: Stage, stores: Sequence[EpisodeStore]) -> None:
    """The first store is the run's data, whose facts the model is built from."""
    _train(run, stores, stage, run.stage_folder(stage.name))


def _train(
    run: Run,
    stores: Sequence[EpisodeStore],
    stage: Stage,
    folder: Path,
    around: Callable[[Batches], Batches] = lambda batches: batches,
) -> None:
    facts = data_facts(stores[0])
    model = build_model(stage, stores[0], facts)
    origin = begin_stage(run, stage, model, facts)
    stores = with_taught_keys(run, stage, stores)
    device = training_device()
    assert isinstance(model, TrainableModel), "every configuration builds one"
    opened = {
        name: open_windows(
            source_stores(run, stage, stream.source, stores),
            stream.windows,
            stream_cameras(stage, stream, stores),
            device,
            episodes=stage.episodes,
        )
        for name, stream in model.streams.items()
    }
    sources = {name: around(_batches(source, stage.training.workers)) for name, source in opened.items()}
    description = {
        "stage": to_jsonable(stage),
        "facts": to_jsonable(facts),
        "origin": dict(origin),
        "frozen": dict(model.frozen()) if isinstance(model, Pretrained) else {},
    }
    train(
        model,
        sources,
        stage.training,
        folder,
        description,
        name=stage.name,
        probes=stage_probes(model, opened, stage.training),
    )


def begin_stage(run: Run, stage: Stage, model: nn.Module, facts: DataFacts) -> Mapping[str, str]:
    """Give a new stage its first weights; file or checkpoint -> hash of what they are from.

    A stage that goes on gets none, and its record as it was.
    """
    if last := last_checkpoint(run.stage_folder(stage.name) / "checkpoints"):
        origin = read_description(last).get("origin", {})
        _check_teacher(run, stage, origin)
        return origin
    taught = _taught(run, stage, model)
    if not stage.needs:
        return {**taught, **(model.load_pretrained() if isinstance(model, Pretrained) else {})}
    needed = load_stage(run, stage.needs)
    if needed.facts.words != facts.words:
        raise DataError(
            f"{needed.path}: knows the words {', '.join(needed.facts.words)}; {stage.name}, which begins "
            f"from it, is trained on {', '.join(facts.words)}"
        )
    load_into(model, needed.model.state_dict(), needed.path)
    return {**taught, str(needed.path): needed.digest}


def _taught(run: Run, stage: Stage, model: nn.Module) -> Mapping[str, str]:
    """Let a model take what it needs of its teacher; the teacher's checkpoint -> hash."""
    teacher = load_stage(run, stage.teacher) if stage.teacher else None
    adopt_teacher(stage, model, teacher.model if teacher else None)
    return {str(teacher.path): teacher.digest} if teacher else {}


def _check_teacher(run: Run, stage: Stage, origin: Mapping[str, str]) -> None:
    """A stage goes on beside the teacher that it began with."""
    if not stage.teacher:
        return
    now = weights_digest(run.checkpoint(stage.teacher))
    if origin and now not in origin.values():
        raise DataError(
            f"{run.stage_folder(stage.name)}: began beside {stage.teacher} of hash "
            f"{', '.join(origin.values())}, which now has {now}; train it anew in another folder"
        )


def _batches(source: WindowSource, workers: int) -> Batches:
    return lambda seeds, size: prefetching(source, seeds, size, workers)
