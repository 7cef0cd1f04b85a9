"""What a stage's data must hold, and what its teacher adds to it: the latent plans of a frozen LAM."""

from collections.abc import Sequence

import torch

from kinesight.collection.aligned_depth import ESTIMATE, SPARSE, AlignedDepth
from kinesight.data.derived import derive
from kinesight.data.episodes import EpisodeStore
from kinesight.experiments.recipe import ModelConfig, Stage
from kinesight.experiments.runs import Run, load_stage
from kinesight.models.latent_actions import LatentActions, LatentActionsConfig
from kinesight.models.latent_codes import LatentCodes
from kinesight.models.ssm_vla import SsmVlaConfig
from kinesight.types.errors import DataError


def with_taught_keys(run: Run, stage: Stage, stores: Sequence[EpisodeStore]) -> tuple[EpisodeStore, ...]:
    """The stores with the keys that are made by the stage's teacher; data that do not fit are refused."""
    model = stage.model
    _check_lengths(stage, stores)
    if _learns_depth(model):
        for store in stores:
            check_depth(run, stage, store)
        stores = [_with_depth(store) for store in stores]
    if isinstance(model, SsmVlaConfig) and model.frames:
        return tuple(with_latent_codes(run, stage.teacher, store) for store in stores)
    return tuple(stores)


def _check_lengths(stage: Stage, stores: Sequence[EpisodeStore]) -> None:
    """No episode is long enough for what the stage looks at: it would never see it whole."""
    longest = max(store.meta(index).length for store in stores for index in range(len(store)))
    for name, steps in _reach(stage.model).items():
        if steps > longest:
            raise DataError(
                f"{stage.name}: {name} spans {steps} steps, the longest of the episodes has {longest}"
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
    return isinstance(model, LatentActionsConfig) and model.depth


def check_depth(run: Run, stage: Stage, store: EpisodeStore) -> None:
    """Refuse data in which a stage that learns depth finds neither a sensor's nor what it is aligned from."""
    recorded = _kinds(store)
    if not _learns_depth(stage.model) or "depth_mm" in recorded or recorded >= {ESTIMATE, SPARSE}:
        return
    learners = [other.name for other in run.recipe.stages if _learns_depth(other.model)]
    without = " ".join(f"stages.{name}.model.depth=false" for name in learners)
    raise DataError(
        f"{store.path}: no depth is recorded, and {stage.name} learns to predict it. Collect with --depth, "
        f"or record {ESTIMATE}.CAM and {SPARSE}.CAM, or go without: --set {without}. Frames are then "
        "predicted in colour alone."
    )


def _with_depth(store: EpisodeStore) -> EpisodeStore:
    """With the depth of a sensor, or with that of estimates, aligned to the points that are known."""
    if "depth_mm" in _kinds(store):
        return store
    aligned = AlignedDepth()
    return store.with_derived(derive(store, "depth", aligned, parameters=aligned))


def _kinds(store: EpisodeStore) -> set[str]:
    """Of the recorded keys, without their cameras."""
    return {key.partition(".")[0] for key in store.layout(0)}


def with_latent_codes(run: Run, stage: str, store: EpisodeStore) -> EpisodeStore:
    """The store with `codes.CAM` of the stage's LAM; computed where they are missing."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    teacher = load_stage(run, stage, device)
    assert isinstance(teacher.model, LatentActions), "refused before, when it was adopted"
    folder = derive(store, "codes", LatentCodes(teacher.model), parameters={"weights": teacher.digest})
    return store.with_derived(folder)
