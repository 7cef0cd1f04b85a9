"""A run's folder: its recipe, its trained stages and what happened when.

runs/NAME/recipe.json, run.json, STAGE/{checkpoints/, metrics.jsonl, tensorboard/}
"""

import hashlib
import json
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.experiments.devices import CPU
from kinesight.experiments.recipe import ModelConfig, Recipe, Stage
from kinesight.interfaces.model import Pretrained
from kinesight.nn.checkpoint import load_into, load_tensors
from kinesight.training.checkpoints import last_checkpoint, read_description
from kinesight.types.errors import DataError, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.files import write_atomic
from kinesight.types.locks import waited_for
from kinesight.types.sampling import sampled_as
from kinesight.types.serial import (
    differences,
    differing,
    from_json,
    from_jsonable,
    parse_json,
    to_json,
    to_jsonable,
)

WEIGHTS = "ema.safetensors"
"""The averaged weights, which a stage is used with and known by."""

SHOWN_RUNS = 6
"""So many are named where a run is not found."""

OWN = re.compile(r"source|batch_size|actions|shift|noise_draws|.*_noise|.*_weight")
"""Settings that a stage may have otherwise than the one that it begins from: data, augmentation, loss."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A stage that was trained in another run."""

    path: str
    """Folder of the stage there."""
    digest: str
    """Start of the SHA-256 of its averaged weights."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """`run.json`: where data and borrowed stages lie and how long each phase took, over all calls."""

    data: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    extra_data: Mapping[str, str] = field(default_factory=dict)
    """Stage -> where its own data lie."""
    taken: Mapping[str, Taken] = field(default_factory=dict)
    """Stage -> the one of another run that stands in for it."""
    steps: Mapping[str, int] = field(default_factory=dict)
    """Stage -> steps that were found to fit the recipe's `training_minutes`; empty without such a limit."""


@dataclass(frozen=True, slots=True)
class Run:
    """A folder that holds, or will hold, the trained stages of one recipe."""

    path: Path
    recipe: Recipe
    device: str = CPU
    """Where models of its stages are put that act. Nothing of the folder depends on it."""

    def stage(self, name: str) -> Stage:
        """As it is trained here: the recipe's, with the steps that were found to fit its time."""
        stage = self.recipe.stage(name)
        steps = self.record().steps.get(name, stage.training.steps)
        return replace(stage, training=replace(stage.training, steps=steps))

    def stage_folder(self, name: str) -> Path:
        """Where the stage lies: in this run, or where it was taken from."""
        self.recipe.stage(name)
        taken = self.record().taken.get(name)
        return Path(taken.path) if taken else self.path / name

    def checkpoint(self, stage: str) -> Path:
        """The stage's newest one."""
        folder = self.stage_folder(stage)
        found = last_checkpoint(folder / "checkpoints")
        if found is None and stage in self.record().taken:
            raise DataError(
                f"{self.path}/run.json: {stage} was taken from {folder}, which holds no checkpoint"
            )
        if found is None:
            raise DataError(
                f"{folder} holds no checkpoint; train it first: "
                f"kinesight train {self.recipe.name} --stage {stage} --out {self.path}"
            )
        return found

    def record(self) -> RunRecord:
        file = self.path / "run.json"
        return from_json(RunRecord, file.read_text(), str(file)) if file.exists() else RunRecord()

    def data(self) -> Path:
        """The data set that the stages were trained on, as it was named then."""
        data = self.record().data
        if not data or not (Path(data) / "dataset.json").exists():
            raise DataError(
                f"{self.path}/run.json names the data set {data!r}, which is not here; start the command in "
                "the folder where the run was trained"
            )
        return Path(data)

    def note_data(self, data: Path) -> None:
        self._note(lambda record: replace(record, data=str(data)))

    def note_extra_data(self, stage: str, data: Path) -> None:
        self._note(lambda record: replace(record, extra_data={**record.extra_data, stage: str(data)}))

    def note_steps(self, steps: Mapping[str, int]) -> None:
        self._note(lambda record: replace(record, steps=dict(steps)))

    def take(self, stage: str, source: Path) -> None:
        """Let a stage of another run stand in for this run's; `source` is that run's folder or the stage's.

        Raises `DataError` where there is no such stage, where this run has trained its own, or where another
        one was taken before.
        """
        self.recipe.stage(stage)
        own = self.path / stage
        if last_checkpoint(own / "checkpoints"):
            raise DataError(f"{own} is trained already; name another folder for the run with --out")
        folder, path = _trained_stage(source, stage)
        taken, record = Taken(str(folder), weights_digest(path)), self.record()
        if record.taken.get(stage, taken) != taken:
            raise DataError(
                f"{self.path}/run.json: {stage} was taken as {record.taken[stage]}, not as {taken}; name "
                "another folder for the run with --out"
            )
        self._note(lambda record: replace(record, taken={**record.taken, stage: taken}))

    def _note(self, change: Callable[[RunRecord], RunRecord]) -> None:
        """Change the record; processes that train stages of one run do so one after the other."""
        with waited_for(self.path / ".run.lock", f"{self.path}/run.json"):
            write_atomic(self.path / "run.json", to_json(change(self.record())))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of a block to the run's record, also if it is interrupted."""
        began = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - began
            self._note(lambda record: _longer(record, name, spent))


def _longer(record: RunRecord, phase: str, seconds: float) -> RunRecord:
    spent = record.seconds.get(phase, 0.0) + seconds
    return replace(record, seconds={**record.seconds, phase: round(spent, 2)})


def check_taken(recipe: Recipe, stage: str, source: Path) -> None:
    """Refuse another run's stage whose model is not the recipe's: `recipe.json` would say what is not so."""
    here = recipe.stage(stage).model
    _, path = _trained_stage(source, stage)
    there = _stage_of(read_description(path), path).model
    if type(there) is not type(here):
        raise DataError(
            f"{path} is a {type(there).__name__}, {stage} of {recipe.name} a {type(here).__name__}"
        )
    places = _set_otherwise(there, here)
    if places:
        told = ", ".join(f"{name} {value}" for name, _, value in places)
        theirs = setting(stage, {name: value for name, value, _ in places})
        raise DataError(f"{path} was trained otherwise than {recipe.name} says ({told}); add {theirs}")


def check_needed(recipe: Recipe, stage: Stage) -> None:
    """Refuse a stage that is set otherwise than the one it begins from, whose weights have another shape or
    another meaning."""
    needed = recipe.stage(stage.needs)
    if type(needed.model) is not type(stage.model):
        raise UsageError(
            f"stage {stage.name!r} is a {type(stage.model).__name__}, {needed.name!r}, from which it begins, "
            f"a {type(needed.model).__name__}"
        )
    places = [place for place in _set_otherwise(needed.model, stage.model) if not OWN.fullmatch(place[0])]
    if places:
        told = ", ".join(f"{name} is {here!r}, there {there!r}" for name, there, here in places)
        theirs = setting(needed.name, {name: here for name, _, here in places})
        ours = setting(stage.name, {name: there for name, there, _ in places})
        raise UsageError(
            f"stage {stage.name!r} begins from {needed.name!r}, which is set otherwise ({told}); add "
            f"{theirs}, or {ours}"
        )


def _set_otherwise(there: ModelConfig, here: ModelConfig) -> list[tuple[str, Any, Any]]:
    """Setting, value there and value here, of all but how it samples."""
    return differing(to_jsonable(sampled_as(there, here)), to_jsonable(here))


def setting(stage: str, values: Mapping[str, Any]) -> str:
    """What makes the stage's model so, on the command line."""
    words = [f"stages.{stage}.model.{name}={_word(value)}" for name, value in values.items()]
    return f"--set {shlex.join(words)}"


def _word(value: Any) -> str:
    """As `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def _stage_of(description: Mapping[str, Any], path: Path) -> Stage:
    """Of a checkpoint's description."""
    for part in ("stage", "facts"):
        if part not in description:
            raise DataError(f"{path}/config.json: {part!r} is missing, this is no checkpoint of a stage")
    return from_jsonable(Stage, description["stage"], f"{path}/config.json")


def _trained_stage(source: Path, stage: str) -> tuple[Path, Path]:
    """Folder and newest checkpoint of a stage; `source` is its run's folder or its own."""
    for folder in (source / stage, source):
        if path := last_checkpoint(folder / "checkpoints"):
            return folder, path
    raise DataError(f"{source}: no trained stage here, and none in {source / stage}")


def create_run(path: Path, recipe: Recipe) -> Run:
    """A new run, or the same one again; a folder of another recipe is refused.

    Where nothing was trained yet, because the run was refused or stopped before, the new recipe takes over.
    """
    file = path / "recipe.json"
    if file.exists():
        there = open_run(path)
        if _in_use(there):
            check_recipe(Run(path, recipe))
        if to_json(there.recipe) == to_json(recipe):
            return there
        (path / "run.json").unlink(missing_ok=True)
    write_atomic(file, to_json(recipe))
    return Run(path, recipe)


def check_recipe(run: Run) -> None:
    """Refuse a run whose folder is one of another recipe."""
    there = open_run(run.path).recipe
    if differing := differences(to_jsonable(there), to_jsonable(run.recipe)):
        raise DataError(
            f"{run.path} holds a run of another recipe: {'; '.join(differing)}. Name another folder with "
            "--out, or remove this one."
        )


def _in_use(run: Run) -> bool:
    """A stage of it was begun, or all are taken from other runs."""
    stages, taken = run.recipe.stages, run.record().taken
    return any((run.path / s.name).exists() for s in stages) or all(s.name in taken for s in stages)


def open_run(path: Path) -> Run:
    file = path / "recipe.json"
    if not file.exists():
        raise DataError(f"{path}: no run here (recipe.json is missing){_runs_near(path)}")
    document = parse_json(file.read_text(), str(file))
    if isinstance(document, dict) and isinstance(document.get("agent"), dict):
        # Recipes of before there was another system do not say whose agent it is.
        document["agent"].setdefault("type", SpatialPolicyConfig.__name__)
    return Run(path, from_jsonable(Recipe, document, str(file)))


def _runs_near(path: Path) -> str:
    """Those beside the folder and in `runs/`, of the most similar names first."""
    found = {file.parent for place in (path.parent, Path("runs")) for file in place.glob("*/recipe.json")}
    alike = {run: -SequenceMatcher(None, run.name, path.name).ratio() for run in sorted(found)}
    near = sorted(alike, key=alike.__getitem__)[:SHOWN_RUNS]
    return f"; there are {', '.join(map(str, near))}" if near else ""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model with its averaged weights, ready for use."""

    model: nn.Module
    facts: DataFacts
    path: Path
    digest: str
    """Start of the SHA-256 of the weights' file."""


def load_stage(run: Run, name: str, device: torch.device | str = "") -> Trained:
    """The stage's newest checkpoint on a device, "" the run's; the model is built from what it says of it.

    Only the settings of sampling are those that the run's recipe has.
    """
    path = run.checkpoint(name)
    description = read_description(path)
    stage = _stage_of(description, path)
    facts = from_jsonable(DataFacts, description["facts"], f"{path}/config.json")
    model = sampled_as(stage.model, run.recipe.stage(name).model).build(facts)
    _check_frozen(model, description, path)
    # The average holds trained parameters only; buffers and frozen parts come from the model's own file.
    weights = path / WEIGHTS
    tensors = {**load_tensors(path / "model.safetensors"), **load_tensors(weights)}
    load_into(model, tensors, weights)
    digest, taken = weights_digest(path), run.record().taken.get(name)
    if taken and taken.digest != digest:
        raise DataError(f"{weights} has changed since it was taken: its hash is {digest}, not {taken.digest}")
    return Trained(model.eval().to(device or run.device), facts, path, digest)


def weights_digest(checkpoint: Path) -> str:
    return hashlib.sha256((checkpoint / WEIGHTS).read_bytes()).hexdigest()[:12]


def _check_frozen(model: nn.Module, description: Mapping[str, Any], path: Path) -> None:
    """What a checkpoint leaves out must be what it was trained beside."""
    now = model.frozen() if isinstance(model, Pretrained) else {}
    for file, digest in description.get("frozen", {}).items():
        if file in now and now[file] != digest:
            raise DataError(
                f"{path}/config.json: trained beside {file} of hash {digest}, which now has {now[file]}"
            )
