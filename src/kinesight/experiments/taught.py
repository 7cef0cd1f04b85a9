"""What a stage's data must hold, and what its teacher adds to it: the latent plans of a frozen LAM."""

from collections.abc import Sequence

import torch

from kinesight.data.derived import derive
from kinesight.data.episodes import EpisodeStore
from kinesight.experiments.recipe import Stage
from kinesight.experiments.runs import Run, load_stage
from kinesight.models.latent_actions import LatentActions, LatentActionsConfig
from kinesight.models.latent_codes import LatentCodes
from kinesight.models.ssm_vla import SsmVlaConfig
from kinesight.types.errors import DataError


def with_taught_keys(run: Run, stage: Stage, stores: Sequence[EpisodeStore]) -> tuple[EpisodeStore, ...]:
    """The stores with the keys that are made by the stage's teacher; data without depth are refused."""
    model = stage.model
    if isinstance(model, LatentActionsConfig | SsmVlaConfig) and model.depth:
        for store in stores:
            _check_depth(run, stage, store)
    if isinstance(model, SsmVlaConfig) and model.frames:
        return tuple(with_latent_codes(run, stage.teacher, store) for store in stores)
    return tuple(stores)


def _check_depth(run: Run, stage: Stage, store: EpisodeStore) -> None:
    if any(key.startswith("depth_mm.") for key in store.layout(0)):
        return
    learners = [
        other.name
        for other in run.recipe.stages
        if isinstance(other.model, LatentActionsConfig | SsmVlaConfig) and other.model.depth
    ]
    without = " ".join(f"stages.{name}.model.depth=false" for name in learners)
    raise DataError(
        f"{store.path}: no depth is recorded, and {stage.name} learns to predict it. Collect with --depth, "
        f"or derive aligned depth, or go without: --set {without}. Frames are then predicted in colour alone."
    )


def with_latent_codes(run: Run, stage: str, store: EpisodeStore) -> EpisodeStore:
    """The store with `codes.CAM` of the stage's LAM; computed where they are missing."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    teacher = load_stage(run, stage, device)
    assert isinstance(teacher.model, LatentActions), "refused before, when it was adopted"
    folder = derive(store, "codes", LatentCodes(teacher.model), parameters={"weights": teacher.digest})
    return store.with_derived(folder)
