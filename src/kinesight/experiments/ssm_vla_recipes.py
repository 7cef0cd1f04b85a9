"""Recipes of SSM-VLA: two cores, its variants, GPU size, one for tests.

Features, latent actions and policy are stages of one recipe: each is the frozen teacher of the next. Variants
of a recipe differ from it in one thing each, share its data, and take what is alike from its run
(`kinesight train --init`).
"""

from dataclasses import replace

from kinesight.agents.ssm_vla import SsmVlaAgentConfig
from kinesight.collection.collect import CollectionConfig
from kinesight.experiments.recipe import EvaluationConfig, Recipe, Stage
from kinesight.experiments.ssm_vla import FEATURES, LAM, POLICY, PRETRAINING
from kinesight.models.latent_actions import LatentActionsConfig
from kinesight.models.masked_autoencoder import MaskedAutoencoderConfig
from kinesight.models.ssm_vla import SsmVlaConfig
from kinesight.nn.vit import VitConfig
from kinesight.training.config import TrainingConfig

TASKS = ("door-open", "door-close", "handle-press", "button-press-topdown", "faucet-open", "drawer-open")
"""Measured one by one. What is learned has one more, so that chains of drawers are in reach."""


def with_policy(base: Recipe, name: str, summary: str, **settings: object) -> Recipe:
    """The base with other settings of its policy, where it watches too; without latent actions it needs no
    LAM."""
    changed = _with_models(base, name, summary, (SsmVlaConfig,), **settings)
    model = changed.stage(POLICY).model
    assert isinstance(model, SsmVlaConfig), "the policy of an SSM-VLA recipe"
    if model.frames:
        return changed
    policies = (stage for stage in changed.stages if isinstance(stage.model, SsmVlaConfig))
    return replace(changed, stages=tuple(replace(stage, teacher="") for stage in policies))


def with_horizons(base: Recipe, name: str, summary: str, frames: int) -> Recipe:
    """The base with latent actions of so many key frames, in the LAM and in the policy."""
    return _with_models(base, name, summary, (LatentActionsConfig, SsmVlaConfig), frames=frames)


def with_lam(base: Recipe, name: str, summary: str, **settings: object) -> Recipe:
    """The base with other settings of its latent actions, which the policy need not know of."""
    return _with_models(base, name, summary, (LatentActionsConfig,), **settings)


def without_depth(base: Recipe, name: str, summary: str) -> Recipe:
    """The base with no depth in the LAM and the policy; the data are the same."""
    return _with_models(base, name, summary, (LatentActionsConfig, SsmVlaConfig), depth=False)


def _with_models(
    base: Recipe, name: str, summary: str, kinds: tuple[type, ...], **settings: object
) -> Recipe:
    stages = tuple(
        replace(stage, model=replace(stage.model, **settings))  # type: ignore[arg-type]
        if isinstance(stage.model, kinds)
        else stage
        for stage in base.stages
    )
    return replace(base, name=name, summary=summary, stages=stages, data_name=base.data_name or base.name)


ALL = 0
"""Of a stage's episodes: every one of a task."""


def with_labels(base: Recipe, name: str, summary: str, episodes: int, watched: int | None) -> Recipe:
    """Only so many demonstrations of each task have actions; so many, or `ALL`, are watched as video first.

    Watching teaches features, latent actions and, in half of the policy's steps, its frames and codes; then
    the policy makes all its steps on everything, actions included, of the labelled ones. With None nothing is
    watched and there is no LAM.
    """
    policy = base.stage(POLICY)
    assert isinstance(policy.model, SsmVlaConfig), "the policy of an SSM-VLA recipe"
    if watched is None:
        alone = with_policy(base, name, summary, frames=0)
        return replace(alone, stages=(replace(alone.stage(POLICY), episodes=episodes),))
    half = replace(policy.training, steps=policy.training.steps // 2)
    watching = replace(policy, name=PRETRAINING, model=replace(policy.model, actions=False), training=half)
    teachers = tuple(stage for stage in base.stages if stage.name != POLICY)
    seen = tuple(replace(stage, episodes=watched) for stage in (*teachers, watching))
    acting = replace(policy, needs=PRETRAINING, episodes=episodes)
    data_name = base.data_name or base.name
    return replace(base, name=name, summary=summary, stages=(*seen, acting), data_name=data_name)


_BRIEF = TrainingConfig(betas=(0.9, 0.99), precision="auto", save_every=200)
_LONG = TrainingConfig(betas=(0.9, 0.999), final_fraction=0.0, precision="auto", save_every=1000)

SMALL = Recipe(
    name="ssm-vla-small",
    summary="SSM-VLA on six Meta-World tasks, for two cores",
    data=CollectionConfig(
        env="metaworld",
        tasks=(*TASKS, "drawer-close"),
        episodes=40,
        cameras=("corner",),
        height=96,
        width=96,
        depth=True,
        scene=False,
        starts=("standard", "shifted", "shifted"),
        hold_steps=3,
    ),
    stages=(
        Stage(
            FEATURES,
            MaskedAutoencoderConfig(),
            replace(
                _BRIEF,
                steps=1200,
                learning_rate=1e-3,
                weight_decay=0.05,
                betas=(0.9, 0.95),
                warmup=60,
                ema=0.995,
            ),
        ),
        Stage(
            LAM,
            LatentActionsConfig(encoder_blocks=2, decoder_blocks=2, differences=True),
            replace(
                _BRIEF,
                steps=800,
                optimizer="muon",
                learning_rate=5e-4,
                weight_decay=1e-5,
                warmup=40,
                ema=0.995,
            ),
            teacher=FEATURES,
        ),
        Stage(
            POLICY,
            SsmVlaConfig(blocks=4, width=24),
            replace(
                _BRIEF,
                steps=1000,
                optimizer="muon",
                learning_rate=5e-4,
                weight_decay=1e-4,
                warmup=50,
                ema=0.998,
            ),
            teacher=LAM,
        ),
    ),
    agent=SsmVlaAgentConfig(),
    evaluation=EvaluationConfig(tasks=TASKS),
)

SMALL_PLAIN = with_policy(
    SMALL, "ssm-vla-small-plain", "the same transformer and head, no next frame, no latent plan",
    frames=0, imagine=False,
)  # fmt: skip
SMALL_ONE_FRAME = with_horizons(SMALL, "ssm-vla-small-one-frame", "latent actions of one key frame", 1)
SMALL_WITHOUT_LAM = with_policy(
    SMALL, "ssm-vla-small-without-lam", "next frame, but no latent plan", frames=0
)
SMALL_CAUSAL = with_policy(
    SMALL, "ssm-vla-small-causal", "plain causal attention over all tokens", attention="causal"
)
SMALL_SCENE_CODES = with_lam(
    SMALL, "ssm-vla-small-scene-codes", "latent actions of features themselves (Eq. 1): codes name the scene",
    differences=False,
)  # fmt: skip
SMALL_WITHOUT_DEPTH = without_depth(SMALL, "ssm-vla-small-without-depth", "colour alone is predicted")
SMALL_ABC = replace(
    SMALL,
    name="ssm-vla-small-abc",
    summary="learned under three looks of the room, measured under a fourth",
    data=replace(SMALL.data, split="ABC"),
    evaluation=replace(SMALL.evaluation, split="D"),
)
LABELLED = tuple(
    with_labels(SMALL, f"ssm-vla-small-{episodes}-labels{suffix}", f"{told} {episodes}", episodes, watched)
    for episodes in (5, 25)
    for suffix, watched, told in (
        ("", None, "demonstrations of a task that have actions:"),
        ("-pretrained", ALL, "latent plans and frames of all video first; demonstrations with actions:"),
    )
)

FULL = Recipe(
    name="ssm-vla",
    summary="the sizes of the paper and its nearest public relatives; a GPU",
    data=replace(SMALL.data, episodes=60, height=128, width=128),
    stages=(
        Stage(
            FEATURES,
            MaskedAutoencoderConfig(
                batch_size=256,
                size=112,
                vit=VitConfig(patch=14, features=384, blocks=12, heads=6),
                features=192,
                blocks=4,
                heads=6,
            ),
            replace(
                _LONG, steps=40_000, learning_rate=6e-4, weight_decay=0.05, betas=(0.9, 0.95), warmup=2000
            ),
        ),
        Stage(
            LAM,
            LatentActionsConfig(
                batch_size=256,
                differences=True,
                size=112,
                vit=VitConfig(patch=14, features=384, blocks=12, heads=6),
                features=768,
                heads=12,
                encoder_blocks=12,
                decoder_blocks=12,
                patch=14,
                code_features=32,
            ),
            replace(_LONG, steps=20_000, learning_rate=1e-4, weight_decay=1e-5, warmup=1000),
            teacher=FEATURES,
        ),
        Stage(
            POLICY,
            SsmVlaConfig(
                batch_size=64,
                history=10,
                stride=1,
                size=112,
                patch=14,
                features=384,
                blocks=24,
                heads=12,
                head_features=768,
                head_blocks=12,
                horizon=10,
            ),
            replace(_LONG, steps=60_000, learning_rate=1e-3, weight_decay=1e-4, warmup=3000),
            teacher=LAM,
        ),
    ),
    agent=SsmVlaAgentConfig(execute=5),
    evaluation=EvaluationConfig(tasks=TASKS),
)

TINY = Recipe(
    name="ssm-vla-tiny",
    summary="SSM-VLA at a size for tests: runs in seconds, learns next to nothing",
    data=CollectionConfig(
        env="metaworld",
        tasks=("handle-press",),
        episodes=2,
        cameras=("corner",),
        height=32,
        width=32,
        depth=True,
        scene=False,
    ),
    stages=(
        Stage(
            FEATURES,
            MaskedAutoencoderConfig(
                batch_size=4,
                size=32,
                vit=VitConfig(features=16, blocks=1, heads=2),
                features=16,
                heads=2,
            ),
            TrainingConfig(steps=4, warmup=1, log_every=1, save_every=2),
        ),
        Stage(
            LAM,
            LatentActionsConfig(
                batch_size=4,
                differences=True,
                frames=2,
                gap=2,
                tokens=2,
                codes=8,
                code_features=4,
                size=32,
                vit=VitConfig(features=16, blocks=1, heads=2),
                features=16,
                heads=2,
                encoder_blocks=1,
                decoder_blocks=1,
            ),
            TrainingConfig(steps=4, warmup=1, log_every=1, save_every=2),
            teacher=FEATURES,
        ),
        Stage(
            POLICY,
            SsmVlaConfig(
                batch_size=4,
                stride=2,
                ahead=2,
                size=32,
                frames=2,
                tokens=2,
                codes=8,
                grid=2,
                features=16,
                blocks=2,
                heads=2,
                head_features=16,
                head_blocks=1,
                noise_draws=1,
                steps=2,
                queries=1,
            ),
            TrainingConfig(steps=4, warmup=1, log_every=1, save_every=2),
            teacher=LAM,
        ),
    ),
    agent=SsmVlaAgentConfig(compare_every=8),
    evaluation=EvaluationConfig(tasks=("handle-press",), seeds=2, limit=24),
)

RECIPES = (
    SMALL,
    SMALL_PLAIN,
    SMALL_ONE_FRAME,
    SMALL_WITHOUT_LAM,
    SMALL_CAUSAL,
    SMALL_SCENE_CODES,
    SMALL_WITHOUT_DEPTH,
    SMALL_ABC,
    *LABELLED,
    FULL,
    TINY,
)
