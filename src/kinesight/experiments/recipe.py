"""A recipe: everything that a result depends on, as one frozen value.

Recipes name which components there are; the command line overrides values only (`--set`).
"""

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kinesight.agents.avdc import AvdcConfig
from kinesight.agents.spatial_policy import SpatialPolicyConfig
from kinesight.agents.ssm_vla import SsmVlaAgentConfig
from kinesight.collection.collect import CollectionConfig
from kinesight.collection.fine_intervals import FineIntervals
from kinesight.models.goal_policy import GoalPolicyConfig
from kinesight.models.latent_actions import LatentActionsConfig
from kinesight.models.masked_autoencoder import MaskedAutoencoderConfig
from kinesight.models.realism import RealismConfig
from kinesight.models.ssm_vla import SsmVlaConfig
from kinesight.models.video_diffusion import VideoDiffusionConfig
from kinesight.training.config import TrainingConfig
from kinesight.types.case import STARTS
from kinesight.types.errors import KinesightError, UnknownName, UsageError
from kinesight.types.serial import from_jsonable, to_jsonable

ModelConfig: TypeAlias = (
    VideoDiffusionConfig
    | GoalPolicyConfig
    | RealismConfig
    | MaskedAutoencoderConfig
    | LatentActionsConfig
    | SsmVlaConfig
)
AgentConfig: TypeAlias = SpatialPolicyConfig | SsmVlaAgentConfig
"""Its class says which system the recipe is of, see `experiments.systems`."""

IMAGINER = "imaginer"
"""The stage of Spatial Policy that makes videos."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One model and how it is trained."""

    name: str
    model: ModelConfig
    training: TrainingConfig
    needs: str = ""
    """Earlier stage whose averaged weights this one begins from; "" begins from chance."""
    extra_data: CollectionConfig | None = None
    """Collected for this stage, which is trained on it and on the recipe's data alike."""
    teacher: str = ""
    """Earlier stage whose averaged, frozen model this one learns from."""
    episodes: int = 0
    """Of each task, only the first so many episodes are learned from; 0 is all of them."""

    @property
    def imagined_by(self) -> str:
        """Earlier stage that makes the videos which this one learns from; "" for none."""
        return IMAGINER if isinstance(self.model, RealismConfig) else ""

    @property
    def after(self) -> tuple[str, ...]:
        """Earlier stages that have to be trained before this one can be."""
        return tuple(filter(None, (self.needs, self.teacher, self.imagined_by)))


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """The cases that the recipe is measured on."""

    tasks: tuple[str, ...]
    seeds: int = 25
    """Seeds 0 … seeds - 1; demonstrations have seeds from 1000 on."""
    cameras: tuple[str, ...] = ("corner",)
    start: str = "shifted"
    split: str = ""
    """From what the cases are drawn; "" is what training shows."""
    env: str = ""
    """Another environment than the data's, such as one with several tasks in a row; "" for the same."""
    limit: int = 500
    """Steps of an episode."""
    avdc: AvdcConfig = field(default_factory=AvdcConfig)
    """Of the rows that follow the imagined video by optical flow."""

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise UsageError(f"evaluation.start must be one of {', '.join(STARTS)}, got {self.start!r}")
        if self.seeds < 1 or self.limit < 1:
            raise UsageError(
                f"evaluation.seeds and evaluation.limit must be at least 1, got {self.seeds} and {self.limit}"
            )


@dataclass(frozen=True, slots=True)
class Recipe:
    """Data, stages in the order of training, the agent made of them, and its measurement."""

    name: str
    summary: str
    data: CollectionConfig
    stages: tuple[Stage, ...]
    agent: AgentConfig
    evaluation: EvaluationConfig
    data_name: str = ""
    """Of the data's folder, where several recipes share it; "" is the recipe's own name."""
    training_minutes: float = 0.0
    """Training shall take at most so long: on a slow machine stages get fewer steps (see `pace`); one that
    learns from imagined videos makes all of its own beside it. 0 makes all steps, whatever time they take."""
    fine_intervals: FineIntervals = field(default_factory=FineIntervals)
    """What counts as fine manipulation, for models whose `fine_rate` is not 1."""

    def __post_init__(self) -> None:
        if self.training_minutes < 0:
            raise UsageError(f"training_minutes must be 0 or more, got {self.training_minutes}")
        for place, stage in enumerate(self.stages):
            earlier = [other.name for other in self.stages[:place]]
            if stage.name in earlier:
                raise UsageError(f"two stages are called {stage.name!r}; each has a folder of its own")
            for other in stage.after:
                if other not in earlier:
                    raise UsageError(
                        f"stage {stage.name!r} needs {other!r}, which is none of the stages before it: "
                        f"{', '.join(earlier) or 'none'}"
                    )
            if isinstance(self.agent, SsmVlaAgentConfig) and isinstance(stage.model, SsmVlaConfig):
                _check_chunk(self.agent.execute, stage.name, stage.model.horizon)

    def stage(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise UnknownName("stage", name, [stage.name for stage in self.stages])

    @property
    def measured_in(self) -> str:
        """The environment of the cases."""
        return self.evaluation.env or self.data.env


def _check_chunk(execute: int, stage: str, horizon: int) -> None:
    if execute > horizon:
        raise UsageError(f"agent.execute is {execute}, but {stage} predicts {horizon} actions at once")


def loop_settings(recipe: Recipe) -> SpatialPolicyConfig:
    """The agent of a recipe of Spatial Policy: no other system has a planner or a judge."""
    if not isinstance(recipe.agent, SpatialPolicyConfig):
        raise UsageError(
            f"{recipe.name} is no recipe of Spatial Policy, the only system that has a planner and a judge"
        )
    return recipe.agent


def override(recipe: Recipe, assignments: tuple[str, ...]) -> Recipe:
    """The recipe with values replaced: `data.episodes=10`, `stages.policy.training.steps=500`.

    A stage is addressed by its name. Values are JSON, bare words or comma-separated lists. Raises
    `UsageError` for an unknown field (with the nearest one) or a value of another type.
    """
    document = to_jsonable(recipe)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise UsageError(f"an override is written field.field=value, got {assignment!r}")
        _assign(document, path, text)
    try:
        return from_jsonable(Recipe, document, f"override {' '.join(assignments)}")
    except KinesightError as error:
        raise UsageError(str(error)) from None


def _assign(document: Any, path: str, text: str) -> None:
    *groups, last = path.split(".")
    for depth, name in enumerate(groups):
        document = document[_key(document, name, groups[:depth])]
    key = _key(document, last, groups)
    if inner := _fields(document[key]):
        raise UsageError(f"{path!r} is a group of fields: {', '.join(inner)}")
    document[key] = _value(text, isinstance(document[key], list))


def _key(document: Any, name: str, groups: list[str]) -> Any:
    fields = _fields(document)
    if name not in fields:
        raise UnknownName(f"field of {'.'.join(groups) or 'the recipe'}:", name, fields)
    return fields[name]


def _fields(document: Any) -> dict[str, Any]:
    """Name -> key of a mapping, or of a list whose members have names."""
    if isinstance(document, dict):
        return {name: name for name in document if name != "type"}
    if isinstance(document, list):
        return {m["name"]: i for i, m in enumerate(document) if isinstance(m, dict) and "name" in m}
    return {}


def _value(text: str, is_list: bool) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = [_value(part, False) for part in text.split(",")] if is_list else text
    return [value] if is_list and not isinstance(value, list) else value
