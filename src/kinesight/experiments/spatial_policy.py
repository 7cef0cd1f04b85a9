"""Spatial Policy: its recipes, the agent made of a run's stages, and the control rows of its tables."""

from pathlib import Path
from typing import Literal

from kinesight.agents.covered import Covered
from kinesight.agents.goal_free import GoalFree
from kinesight.agents.recorded_futures import RecordedFutures
from kinesight.agents.spatial_policy import SpatialPolicyAgent, SpatialPolicyConfig
from kinesight.collection.collect import CollectionConfig
from kinesight.critics.frame_matching import FrameMatchingConfig
from kinesight.data.episodes import EpisodeStore
from kinesight.experiments.critics import load_critic
from kinesight.experiments.planners import make_planners, make_points
from kinesight.experiments.recipe import IMAGINER, EvaluationConfig, Recipe, Stage, loop_settings
from kinesight.experiments.runs import Run, load_stage
from kinesight.interfaces.agent import Agent
from kinesight.interfaces.stages import Critic, Imaginer
from kinesight.models.goal_policy import GoalPolicy, GoalPolicyConfig
from kinesight.models.video_conditions import CONDITIONINGS
from kinesight.models.video_diffusion import VideoDiffusion, VideoDiffusionConfig
from kinesight.training.config import TrainingConfig
from kinesight.types.errors import UsageError

POLICY = "policy"
QUICKSTART_TASKS = ("door-open", "door-close", "handle-press", "button-press-topdown")

Goals = Literal["imagined", "oracle", "shuffled", "swapped", "none"]
"""Where the policy's goals come from; all but the first are controls."""


def make_agent(run: Run, goals: Goals = "imagined", expert_data: Path | None = None) -> Agent:
    """The closed loop of a run, on its device; `oracle` and `shuffled` goals need expert episodes."""
    agent, cover = _in_the_open(run, goals, expert_data), loop_settings(run.recipe).cover
    return Covered(agent, cover) if cover else agent


def _in_the_open(run: Run, goals: Goals, expert_data: Path | None) -> Agent:
    settings = loop_settings(run.recipe)
    policy = load_stage(run, POLICY).model
    assert isinstance(policy, GoalPolicy), "the stage `policy` of a Spatial Policy recipe is a goal policy"
    if goals == "none":
        return GoalFree(policy, settings.execute, make_points(settings))
    # Recorded futures are not judged: regenerating them would give the same ones.
    critic = load_critic(run) if goals == "imagined" else None
    imaginer = _imaginer(run, goals, expert_data)
    planners = make_planners(settings) if _plan_is_read(imaginer, critic) else None
    return SpatialPolicyAgent(settings, planners, imaginer, policy, critic, make_points(settings))


def reads_plans(recipe: Recipe) -> bool:
    """Whether a video model of the recipe is told the planner's rows."""
    models = [stage.model for stage in recipe.stages]
    return any(
        CONDITIONINGS[model.condition].plan for model in models if isinstance(model, VideoDiffusionConfig)
    )


def _plan_is_read(imaginer: Imaginer, critic: Critic | None) -> bool:
    """By the imaginer, or by a critic that compares the video with it; recorded futures show it beside."""
    return critic is not None or not isinstance(imaginer, VideoDiffusion) or imaginer.conditioning.plan


def _imaginer(run: Run, goals: Goals, expert_data: Path | None) -> Imaginer:
    if goals == "imagined":
        return load_imaginer(run)
    if expert_data is None:
        raise UsageError(f"{goals} goals need a data set with the expert's episodes of the same cases")
    model = run.recipe.stage(IMAGINER).model
    assert isinstance(model, VideoDiffusionConfig), "the stage `imaginer` is a video model"
    whose = "another" if goals == "shuffled" else "same"
    return RecordedFutures(EpisodeStore(expert_data), whose, model.frames, model.spacing)


def load_imaginer(run: Run) -> VideoDiffusion:
    model = load_stage(run, IMAGINER).model
    assert isinstance(model, VideoDiffusion), (
        "the stage `imaginer` of a Spatial Policy recipe is a video model"
    )
    return model


QUICKSTART = Recipe(
    name="quickstart",
    summary="Spatial Policy on four Meta-World tasks, for two cores",
    data=CollectionConfig(
        env="metaworld",
        tasks=QUICKSTART_TASKS,
        episodes=40,
        cameras=("corner",),
        height=96,
        width=96,
        starts=("standard", "shifted", "shifted"),
        hold_steps=3,
    ),
    stages=(
        Stage(
            IMAGINER,
            VideoDiffusionConfig(
                spacing=10, from_first=0.3, size=64, patch=4, base=48, condition="plan-path", steps=4
            ),
            TrainingConfig(
                steps=500,
                fewest_steps=250,
                optimizer="muon",
                learning_rate=1e-3,
                warmup=50,
                betas=(0.9, 0.99),
                ema=0.995,
                precision="auto",
                save_every=100,
            ),
        ),
        Stage(
            POLICY,
            # As good as a U-Net that foretells noise, within chance, and trained in half the time.
            GoalPolicyConfig(
                horizon=8,
                batch_size=32,
                size=64,
                close_up=48,
                head="mlp",
                widths=(512, 512),
                objective="x0",
                noise_draws=8,
                steps=5,
            ),
            TrainingConfig(
                steps=1200,
                fewest_steps=600,
                optimizer="muon",
                learning_rate=5e-4,
                warmup=50,
                ema=0.999,
                precision="auto",
                save_every=200,
            ),
        ),
    ),
    agent=SpatialPolicyConfig(execute=4, look_every=2),
    evaluation=EvaluationConfig(tasks=QUICKSTART_TASKS),
    training_minutes=12.0,
)

TINY = Recipe(
    name="spatial-policy-tiny",
    summary="the same at a size for tests: runs in seconds, learns next to nothing",
    data=CollectionConfig(
        env="metaworld",
        tasks=("handle-press",),
        episodes=2,
        cameras=("corner",),
        height=32,
        width=32,
    ),
    stages=(
        Stage(
            IMAGINER,
            VideoDiffusionConfig(
                batch_size=2,
                frames=3,
                spacing=4,
                patch=4,
                base=16,
                size=16,
                multipliers=(1, 2),
                features=32,
                condition="plan-path",
                path_batch_size=4,
                steps=2,
            ),
            TrainingConfig(steps=4, warmup=1, log_every=1, save_every=2),
        ),
        Stage(
            POLICY,
            GoalPolicyConfig(
                batch_size=4,
                size=16,
                close_up=24,
                features=32,
                head="mlp",
                widths=(32, 32),
                objective="x0",
                noise_draws=1,
                steps=2,
            ),
            TrainingConfig(steps=4, warmup=1, log_every=1, save_every=2),
        ),
    ),
    agent=SpatialPolicyConfig(matching=FrameMatchingConfig(max_steps=8)),
    evaluation=EvaluationConfig(tasks=("handle-press",), seeds=2, limit=24),
)
