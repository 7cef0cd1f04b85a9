"""What a stage's data must hold, and what its teacher adds to it: the latent plans of a frozen LAM."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from kinesight.collection.aligned_depth import DEPTH, INVERSE, SPARSE, AlignedDepth, estimate_of
from kinesight.data.derived import derive
from kinesight.data.episodes import EpisodeStore
from kinesight.experiments.devices import training_device
from kinesight.experiments.recipe import ModelConfig, Recipe, Stage
from kinesight.experiments.runs import Run, load_stage, setting
from kinesight.interfaces.model import Stream, Student, TrainableModel
from kinesight.language.words import split_words
from kinesight.models.latent_actions import LatentActions, LatentActionsConfig
from kinesight.models.latent_codes import LatentCodes
from kinesight.models.ssm_vla import SsmVlaConfig
from kinesight.types.errors import DataError, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.observation import PROPRIO_NAMES
from kinesight.types.serial import differing, to_jsonable

ROUNDING = 1e-3
"""Actions may be so far beyond their bounds."""


def check_data(run: Run, stage: Stage, model: nn.Module, store: EpisodeStore, facts: DataFacts) -> None:
    """Refuse data that the stage, of which `model` is an untrained one, could not learn from."""
    _check_lengths(stage, [store])
    _check_words(stage, store)
    assert isinstance(model, TrainableModel), "every configuration builds one"
    for stream in model.streams.values():
        read = {take.key for take in stream.windows.takes.values()}
        if "action" in read:
            _check_actions(store)
        if "proprio" in read and len(facts.proprio_low) != len(PROPRIO_NAMES):
            raise DataError(
                f"{store.path}: proprio has {len(facts.proprio_low)} numbers a row, {stage.name} learns from "
                f"{len(PROPRIO_NAMES)}: {', '.join(PROPRIO_NAMES)}"
            )
        _check_depth(run, stage, store, stream.cameras or facts.cameras)


def check_teacher(recipe: Recipe, stage: Stage) -> None:
    """Refuse a stage that is set otherwise than the one that teaches it, where the two have to agree."""
    if not stage.teacher or not isinstance(stage.model, LatentActionsConfig | SsmVlaConfig):
        return
    teacher = recipe.stage(stage.teacher)
    names = [name for name in stage.model.taught if hasattr(teacher.model, name)]
    there, here = (
        {name: to_jsonable(getattr(each.model, name)) for name in names} for each in (teacher, stage)
    )
    if wrong := differing(there, here):
        told = ", ".join(f"{name} is {ours}, there {theirs}" for name, theirs, ours in wrong)
        raise UsageError(
            f"{stage.name} learns from {teacher.name}, which is set otherwise ({told}); add "
            f"{setting(stage.name, {name: theirs for name, theirs, _ in wrong})}"
        )


def adopt_teacher(stage: Stage, model: nn.Module, teacher: nn.Module | None) -> None:
    """Let the stage's model take what it needs of its teacher; one that does not fit is refused."""
    wanted = isinstance(model, Student) and model.wants_teacher
    if wanted and teacher is None:
        raise UsageError(f"stage {stage.name!r} learns from an earlier stage: name it as its teacher")
    if not wanted and stage.teacher:
        raise UsageError(
            f"stage {stage.name!r}, as it is set, learns from no other and would not ask {stage.teacher!r}: "
            f"--set stages.{stage.name}.teacher= and, where nobody else asks that one, --stage without it"
        )
    if isinstance(model, Student) and teacher is not None:
        model.adopt(teacher)


def stream_cameras(stage: Stage, stream: Stream, stores: Sequence[EpisodeStore]) -> tuple[str, ...]:
    """Cameras that the stage learns from: latent actions of RGB-D, from those that have depth."""
    cameras = stream.cameras or stores[0].info.cameras
    if not _watches_depth(stage.model):
        return cameras
    return tuple(camera for camera in cameras if all(camera in depth_cameras(store) for store in stores))


def with_taught_keys(run: Run, stage: Stage, stores: Sequence[EpisodeStore]) -> tuple[EpisodeStore, ...]:
    """The stores with the keys that are made by the stage's teacher."""
    model = stage.model
    _check_lengths(stage, stores)
    if _learns_depth(model):
        stores = [_with_depth(store) for store in stores]
    if isinstance(model, SsmVlaConfig) and model.frames:
        return tuple(with_latent_codes(run, stage.teacher, store, model.second_view) for store in stores)
    return tuple(stores)


def _check_lengths(stage: Stage, stores: Sequence[EpisodeStore]) -> None:
    """No episode is long enough for what the stage looks at: it would never see it whole."""
    longest = max(store.meta(index).length for store in stores for index in range(len(store)))
    for name, steps in _reach(stage.model).items():
        if steps > longest:
            raise DataError(
                f"{stage.name}: {name} spans {steps} steps, the longest of the episodes has {longest}"
            )


def _check_actions(store: EpisodeStore) -> None:
    """Policies act in [-1, 1]: what lies beyond would be learned and then cut off."""
    for index in range(len(store)):
        rows = store.window(index, 0, store.meta(index).length, ["action"])["action"]
        farthest = float(np.abs(rows).max(initial=0))
        if not farthest <= 1 + ROUNDING:
            raise DataError(
                f"{store.path}: actions of episode {index} reach {farthest:.4g}, they must lie in [-1, 1]; "
                "divide by the scales of the action space, which dataset.json names"
            )


def _check_words(stage: Stage, store: EpisodeStore) -> None:
    """Words that are not read would be cut off without a word."""
    if not isinstance(stage.model, SsmVlaConfig):
        return
    told = {store.meta(index).instruction for index in range(len(store))}
    longest = max(told, key=lambda sentence: len(split_words(sentence)))
    count = len(split_words(longest))
    if count > stage.model.words:
        raise DataError(
            f"{stage.name} reads {stage.model.words} words of an instruction, {longest!r} has "
            f"{count}: --set stages.{stage.name}.model.words={count}"
        )


def _reach(model: ModelConfig) -> dict[str, int]:
    """Steps that a model's windows span, by the settings that say so."""
    if isinstance(model, LatentActionsConfig):
        return {"frames x gap": model.frames * model.gap}
    if not isinstance(model, SsmVlaConfig):
        return {}
    spans = {"(history - 1) x stride": (model.history - 1) * model.stride}
    if model.imagine:
        spans["ahead"] = model.ahead
    if model.actions:
        spans["horizon"] = model.horizon
    return spans


def _learns_depth(model: ModelConfig) -> bool:
    if isinstance(model, SsmVlaConfig):
        return model.imagine and model.depth
    return _watches_depth(model)


def _watches_depth(model: ModelConfig) -> bool:
    return isinstance(model, LatentActionsConfig) and model.depth


def _check_depth(run: Run, stage: Stage, store: EpisodeStore, cameras: Sequence[str]) -> None:
    """Depth is learned from a sensor's or what it is aligned from: codes of one camera's, policies of all."""
    if not _learns_depth(stage.model):
        return
    there = depth_cameras(store)
    lacking = [camera for camera in cameras if camera not in there]
    if not lacking or (_watches_depth(stage.model) and len(lacking) < len(cameras)):
        _check_sizes(store, [camera for camera in cameras if camera in there])
        aligned = AlignedDepth(tuple(name for name in _estimated(store) if name in cameras))
        if aligned.cameras:
            aligned(store[0])  # raises where the estimates cannot be aligned
        return
    learners = [other.name for other in run.recipe.stages if _learns_depth(other.model)]
    without = " ".join(f"stages.{name}.model.depth=false" for name in learners)
    estimates = " or ".join(f"{kind}.CAM" for kind in INVERSE)
    raise DataError(
        f"{store.path}: no depth is recorded of {', '.join(lacking)}, and {stage.name} learns to predict it. "
        f"Collect with --depth, or record {estimates}, and {SPARSE}.CAM, or go without: --set {without}. "
        "Frames are then predicted in colour alone. A camera that is looked at beside others, as "
        "second_view, needs none."
    )


def _check_sizes(store: EpisodeStore, cameras: Sequence[str]) -> None:
    """Depth is shifted and drawn with its picture, pixel by pixel."""
    sizes = {key: layout.shape[1:3] for key, layout in store.layout(0).items()}
    for camera in cameras:
        picture = f"rgb.{camera}"
        for key in (f"{kind}.{camera}" for kind in (DEPTH, *INVERSE, SPARSE)):
            if key in sizes and picture in sizes and sizes[key] != sizes[picture]:
                own, wanted = (" x ".join(map(str, sizes[name])) for name in (key, picture))
                raise DataError(
                    f"{store.path}: {key} has {own} px, {picture} {wanted} px; record both in one size"
                )


def depth_cameras(store: EpisodeStore) -> tuple[str, ...]:
    """Cameras with the depth of a sensor, or with estimates that can be aligned to known points."""
    recorded = store.layout(0)
    return tuple(
        name for name in store.info.cameras if f"{DEPTH}.{name}" in recorded or estimate_of(recorded, name)
    )


def _estimated(store: EpisodeStore) -> tuple[str, ...]:
    """Cameras whose depth is aligned, since none was measured."""
    recorded = store.layout(0)
    return tuple(name for name in depth_cameras(store) if f"{DEPTH}.{name}" not in recorded)


def _with_depth(store: EpisodeStore) -> EpisodeStore:
    """Where a camera has no sensor's depth, that of estimates, aligned to the points that are known."""
    aligned = AlignedDepth(_estimated(store))
    if not aligned.cameras:
        return store
    return store.with_derived(derive(store, "depth", aligned, parameters=aligned))


def with_latent_codes(run: Run, stage: str, store: EpisodeStore, second_view: str = "") -> EpisodeStore:
    """The store with `codes.CAM` of the stage's LAM, of all views but a second one; computed if missing."""
    teacher = load_stage(run, stage, training_device())
    assert isinstance(teacher.model, LatentActions), "refused before, when it was adopted"
    codes, parameters = LatentCodes(teacher.model, second_view), {"weights": teacher.digest}
    if second_view:  # a setting that came later: codes of before are found again
        parameters["second_view"] = second_view
    folder = derive(store, "codes", codes, parameters=parameters)
    return store.with_derived(folder)
