"""The critic that a recipe names, made of what its run has learned."""

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.critics.video_judge import VideoJudgeConfig
from kinesight.experiments.recipe import Recipe, loop_settings
from kinesight.experiments.runs import Run, load_stage
from kinesight.interfaces.stages import Critic
from kinesight.models.realism import Realism
from kinesight.types.errors import UsageError


def critic_stages(recipe: Recipe) -> tuple[str, ...]:
    """Trained stages that the recipe's critic uses."""
    if not isinstance(recipe.agent, SpatialPolicyConfig):
        return ()
    critic = recipe.agent.critic
    return (critic.realism,) if isinstance(critic, VideoJudgeConfig) and critic.realism else ()


def load_critic(run: Run) -> Critic | None:
    """None for a recipe without a critic."""
    config = loop_settings(run.recipe).critic
    if config is None:
        return None
    if not isinstance(config, VideoJudgeConfig) or not config.realism:
        return config.build()
    model = load_stage(run, config.realism).model
    if not isinstance(model, Realism):
        raise UsageError(
            f"agent.critic.realism names the stage {config.realism!r}, which holds a "
            f"{type(model).__name__}, not a Realism"
        )
    return config.build(model)
