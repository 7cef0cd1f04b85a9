"""Recipes with the embedded video judge, and a judge for a run that was trained without one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kinesight.critics.video_judge import VideoJudgeConfig
from kinesight.experiments import spatial_policy
from kinesight.experiments.recipe import Recipe, Stage, loop_settings, override
from kinesight.experiments.runs import Run, create_run
from kinesight.experiments.training import open_data, train_run
from kinesight.models.realism import RealismConfig
from kinesight.training.config import TrainingConfig
from kinesight.types.errors import UsageError

REALISM = Stage(
    "realism",
    RealismConfig(),
    TrainingConfig(
        steps=300,
        learning_rate=1e-3,
        weight_decay=1e-2,
        warmup=20,
        ema=0.99,
        precision="auto",
        save_every=100,
    ),
)


def judged(recipe: Recipe, stage: Stage = REALISM) -> Recipe:
    """The recipe with a stage for the discriminator and a judge that uses it; its stages come first."""
    if loop_settings(recipe).critic is not None:
        raise UsageError(f"the recipe {recipe.name} has a critic already")
    critic = VideoJudgeConfig(realism=stage.name)
    return replace(
        recipe,
        name=f"{recipe.name}-judged",
        summary=f"{recipe.name}, and a judge that has bad videos imagined again",
        stages=(*recipe.stages, stage),
        agent=replace(loop_settings(recipe), critic=critic),
    )


def add_judge(run: Run, out: Path, overrides: Sequence[str] = ()) -> Run:
    """A run in `out` with the stages of `run`, taken and not trained again, and a trained judge.

    A run that has a judge keeps it; then only the overrides make the difference, e.g. of its replanning.
    """
    recipe = run.recipe if loop_settings(run.recipe).critic is not None else judged(run.recipe)
    recipe = override(recipe, tuple(overrides))
    for stage in run.recipe.stages:
        if recipe.stage(stage.name) != stage:
            raise UsageError(
                f"the stage {stage.name} of {run.path} is trained; its settings stay as they are"
            )
    if out.resolve() == run.path.resolve():
        raise UsageError(f"the judged run needs a folder of its own, got that of the run itself, {out}")
    folders = {stage.name: run.checkpoint(stage.name).parents[1] for stage in run.recipe.stages}
    made = create_run(out, recipe)
    for name, folder in folders.items():
        made.take(name, folder)
    store = open_data(run.data(), spatial_policy.reads_plans(recipe))
    missing = [stage.name for stage in recipe.stages if stage not in run.recipe.stages]
    made.note_data(store.path)
    if missing:
        train_run(made, store, missing)
    return made


QUICKSTART = judged(spatial_policy.QUICKSTART)

TINY = judged(
    spatial_policy.TINY,
    replace(
        REALISM,
        model=RealismConfig(clips=16, batch_size=4, size=16, width=4),
        training=TrainingConfig(steps=4, warmup=1, log_every=1, save_every=2),
    ),
)
