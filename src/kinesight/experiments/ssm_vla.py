"""SSM-VLA: the agent made of a run's stages. Features, latent actions and policy: each taught the next."""

from pathlib import Path

from kinesight.agents.ssm_vla import SsmVlaAgent, SsmVlaAgentConfig
from kinesight.experiments.recipe import Recipe
from kinesight.experiments.runs import Run, Trained, load_stage
from kinesight.experiments.spatial_policy import Goals
from kinesight.interfaces.agent import Agent
from kinesight.models.latent_actions import LatentActions
from kinesight.models.ssm_vla import SsmVla
from kinesight.training.checkpoints import read_description
from kinesight.types.errors import DataError, UsageError

FEATURES, LAM, PRETRAINING, POLICY = "features", "lam", "pretraining", "policy"
"""Names of the stages."""


def make_agent(run: Run, goals: Goals = "imagined", expert_data: Path | None = None) -> Agent:
    """The closed loop of a trained run, on the run's device; it has no goals that could be exchanged."""
    settings = run.recipe.agent
    if not isinstance(settings, SsmVlaAgentConfig) or goals != "imagined":
        raise UsageError(f"{run.recipe.name}: SSM-VLA follows no goals, so there are no {goals!r} ones")
    trained = load_stage(run, POLICY)
    assert isinstance(trained.model, SsmVla), "the stage `policy` of an SSM-VLA recipe is an SsmVla"
    if not trained.model.config.actions:
        raise UsageError(
            f"{trained.path}: learned from video alone (stages.{POLICY}.model.actions is false) and cannot "
            "act; let a stage that learns actions begin from it, as in the recipes *-labels-pretrained"
        )
    foresight = load_foresight(run, trained) if settings.compare_every else None
    return SsmVlaAgent(settings, trained.model, foresight)


def load_foresight(run: Run, policy: Trained) -> LatentActions | None:
    """The LAM that the policy learned from; None for one without latent actions."""
    assert isinstance(policy.model, SsmVla), "the policy of an SSM-VLA recipe"
    if not policy.model.wants_teacher:
        return None
    teacher = load_stage(run, run.recipe.stage(POLICY).teacher)
    begun = read_description(policy.path).get("origin", {}).values()
    policy.model.adopt(teacher.model)
    assert isinstance(teacher.model, LatentActions), "refused when it was adopted"
    if teacher.digest not in begun:
        raise DataError(
            f"{policy.path}: learned the codes of latent actions of hash {', '.join(begun) or 'none'}, "
            f"{teacher.path} has {teacher.digest}"
        )
    return teacher.model


def used_stages(recipe: Recipe) -> tuple[str, ...]:
    """Stages that the agent is made of; the latent actions only draw what codes mean, for comparisons."""
    assert isinstance(recipe.agent, SsmVlaAgentConfig), "asked of recipes of SSM-VLA"
    teacher = recipe.stage(POLICY).teacher
    return (POLICY, teacher) if teacher and recipe.agent.compare_every else (POLICY,)
