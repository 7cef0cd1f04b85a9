"""The systems that a recipe can be of, told by its agent's settings: how a run becomes an agent and what it
imagines is shown.

Another system is a file with each of these functions and one entry here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.agents.ssm_vla import SsmVlaAgentConfig
from kinesight.experiments import spatial_policy, ssm_vla
from kinesight.experiments.imagined import Imagined
from kinesight.experiments.recipe import Recipe
from kinesight.experiments.runs import Run
from kinesight.experiments.spatial_policy import Goals
from kinesight.experiments.spatial_policy_pictures import clip_against_expert
from kinesight.experiments.ssm_vla_pictures import next_frames_against_expert
from kinesight.interfaces.agent import Agent
from kinesight.types.case import Case


@dataclass(frozen=True, slots=True)
class System:
    """One method."""

    name: str
    make_agent: Callable[[Run, Goals, Path | None], Agent]
    """(run, where goals come from, expert episodes of the same cases) -> the agent or a control of it."""
    imagined: Callable[[Run, Case], Imagined]
    """What a run imagines of a case, above the expert's episode."""
    rows: Mapping[str, Callable[[Recipe], tuple[str, ...]]]
    """Row of a results table that is made of this system's stages -> the trained stages that it uses."""
    plans: Callable[[Recipe], bool]
    """Whether a recipe's data need hindsight plans."""


def _stages(*names: str) -> Callable[[Recipe], tuple[str, ...]]:
    return lambda recipe: names


SYSTEMS: dict[type, System] = {
    SpatialPolicyConfig: System(
        "Spatial Policy",
        spatial_policy.make_agent,
        clip_against_expert,
        {
            **dict.fromkeys(
                ("agent", "no instruction", "other instruction"),
                _stages(spatial_policy.IMAGINER, spatial_policy.POLICY),
            ),
            "no goal": _stages(spatial_policy.POLICY),
            "shuffled goals": _stages(spatial_policy.POLICY),
            "oracle goals": _stages(spatial_policy.POLICY),
            "swapped goals": _stages(spatial_policy.POLICY),
            "avdc": _stages(spatial_policy.IMAGINER),
            "avdc-replan": _stages(spatial_policy.IMAGINER),
            "avdc oracle": _stages(),
            "avdc-replan oracle": _stages(),
        },
        plans=spatial_policy.reads_plans,
    ),
    SsmVlaAgentConfig: System(
        "SSM-VLA",
        ssm_vla.make_agent,
        next_frames_against_expert,
        {
            "agent": ssm_vla.used_stages,
            "no instruction": ssm_vla.used_stages,
            "other instruction": ssm_vla.used_stages,
        },
        plans=lambda recipe: False,
    ),
}


def system_of(recipe: Recipe) -> System:
    return SYSTEMS[type(recipe.agent)]
