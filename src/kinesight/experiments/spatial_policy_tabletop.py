"""Spatial Policy on the table-top's `pick-attribute`: the sentence says which of several things goes where.

The planner reads target and goal from the scene, which follows the sentence; so does the policy, whose
coordinates are those of the paper's Algorithm 1: the hand's, the object's and, here, the goal's. Both are
privileged. A picture of 64 pixels shows 1.5 cm as one pixel, which is too coarse to grip by.
"""

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.collection.collect import CollectionConfig
from kinesight.critics.frame_matching import FrameMatchingConfig
from kinesight.experiments.recipe import EvaluationConfig, Recipe, Stage
from kinesight.experiments.spatial_policy import IMAGINER, POLICY
from kinesight.models.goal_policy import GoalPolicyConfig
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.training.config import TrainingConfig

TABLETOP = Recipe(
    name="spatial-policy-tabletop",
    summary="pick and place by attribute on the table-top, 64 px; one core",
    data=CollectionConfig(
        env="tabletop",
        tasks=("pick-attribute",),
        episodes=120,
        cameras=("front",),
        height=64,
        width=64,
        starts=("standard",),
        hold_steps=2,
        fps=20.0,
    ),
    stages=(
        Stage(
            IMAGINER,
            VideoDiffusionConfig(batch_size=4, patch=4, base=32, depth=2, features=128),
            TrainingConfig(
                steps=800,
                learning_rate=1e-3,
                warmup=50,
                betas=(0.9, 0.99),
                ema=0.995,
                precision="float32",
                save_every=100,
            ),
        ),
        Stage(
            POLICY,
            GoalPolicyConfig(
                horizon=8,
                goal_farthest=16,
                batch_size=64,
                points=("target", "goal"),
                encoder="tiny-cnn",
                head="mlp",
                widths=(512, 512),
                objective="x0",
                shift=0,
                goal_dropout=0.2,
                steps=5,
            ),
            TrainingConfig(
                steps=4000,
                learning_rate=1e-3,
                warmup=50,
                ema=0.995,
                precision="float32",
                save_every=200,
            ),
        ),
    ),
    # An imagined frame stands for a seventh of the way: about eight steps.
    agent=SpatialPolicyConfig(execute=8, look_every=2, matching=FrameMatchingConfig(max_steps=12)),
    evaluation=EvaluationConfig(tasks=("pick-attribute",), cameras=("front",), start="standard", limit=150),
)

RECIPES = (TABLETOP,)
