"""What holds for every recipe in the catalogue, and how values are replaced."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinesight.critics.video_judge import VideoJudgeConfig
from kinesight.envs import catalogue as envs
from kinesight.experiments import catalogue
from kinesight.experiments.critics import critic_stages
from kinesight.experiments.evaluation import with_agent
from kinesight.experiments.recipe import Recipe, loop_settings, override
from kinesight.experiments.runs import Run
from kinesight.experiments.training import default_data
from kinesight.interfaces.model import TrainableModel
from kinesight.types.action import ActionSpec
from kinesight.types.camera import Camera
from kinesight.types.errors import UnknownName, UsageError
from kinesight.types.facts import DataFacts
from kinesight.types.serial import from_json, to_json

TINY = catalogue.recipe("spatial-policy-tiny")


def facts(recipe: Recipe) -> DataFacts:
    """As if the recipe's data had been collected."""
    data = recipe.data
    camera = Camera("any", np.eye(3), np.eye(4), data.height, data.width)
    return DataFacts(
        env=data.env,
        tasks=data.tasks,
        cameras=data.cameras,
        calibration={f"{task}/{name}": camera for task in data.tasks for name in data.cameras},
        crop=data.crop,
        action=ActionSpec(("x", "y", "z", "g"), ("m", "m", "m", ""), (0.01, 0.01, 0.01, 1.0)),
        proprio_low=(-1.0,) * 8,
        proprio_high=(1.0,) * 8,
        words=("door", "open"),
    )


@pytest.mark.parametrize("recipe", catalogue.RECIPES.values(), ids=catalogue.names())
class TestEveryRecipe:
    def test_is_found_by_its_name(self, recipe: Recipe) -> None:
        assert catalogue.recipe(recipe.name) is recipe
        assert recipe.summary

    def test_survives_its_file(self, recipe: Recipe) -> None:
        assert from_json(Recipe, to_json(recipe)) == recipe

    def test_takes_an_override(self, recipe: Recipe) -> None:
        name = recipe.stages[0].name
        changed = override(recipe, ("evaluation.seeds=3", f"stages.{name}.training.steps=7"))
        assert (changed.evaluation.seeds, changed.stage(name).training.steps) == (3, 7)
        assert override(recipe, ()) == recipe

    def test_names_its_stages_once(self, recipe: Recipe) -> None:
        names = [stage.name for stage in recipe.stages]
        assert names
        assert len(set(names)) == len(names)

    def test_builds_its_models(self, recipe: Recipe) -> None:
        for stage in recipe.stages:
            model = stage.model.build(facts(recipe))
            assert isinstance(model, TrainableModel)
            assert any(group["params"] for group in model.parameter_groups())

    def test_a_stages_own_data_go_with_the_recipes(self, recipe: Recipe) -> None:
        for stage in recipe.stages:
            if extra := stage.extra_data:
                for name in ("env", "cameras", "height", "width", "crop"):
                    assert getattr(extra, name) == getattr(recipe.data, name), name
                assert set(extra.tasks) <= set(recipe.data.tasks)
                assert extra.first_seed > recipe.data.first_seed + 4 * recipe.data.episodes + 20
                assert recipe.evaluation.seeds <= extra.first_seed

    def test_is_measured_on_what_it_was_shown(self, recipe: Recipe) -> None:
        plan, data = recipe.evaluation, recipe.data
        assert set(plan.tasks) <= set(data.tasks) <= set(envs.tasks(data.env))
        assert set(plan.cameras) <= set(data.cameras) <= set(envs.cameras(data.env))
        assert plan.start in data.starts
        assert plan.seeds <= data.first_seed, "no layout of the demonstrations is measured"


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("data.cameras=corner,corner2", ("corner", "corner2")),
        ("data.cameras=corner2", ("corner2",)),
        ('data.cameras=["corner3"]', ("corner3",)),
        ("data.depth=true", True),
        ("evaluation.start=standard", "standard"),
        ("stages.policy.training.learning_rate=3e-4", 3e-4),
        ("stages.policy.training.betas=0.9,0.95", (0.9, 0.95)),
        ("stages.imaginer.model.frames=4", 4),
        ("agent.matching.max_steps=5", 5),
    ],
)
def test_values_are_replaced(assignment: str, value: object) -> None:
    found: object = override(TINY, (assignment,))
    for name in assignment.partition("=")[0].split("."):
        found = found.stage(name) if isinstance(found, Recipe) and name in _stages() else _get(found, name)
    assert found == value


def _stages() -> list[str]:
    return [stage.name for stage in TINY.stages]


def _get(value: object, name: str) -> object:
    if isinstance(value, tuple):
        return next(member for member in value if member.name == name)
    return getattr(value, name)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("dta.episodes=1", r"field of the recipe: 'dta'. Did you mean 'data'\? Available: agent, data, "),
        ("data.episode=1", r"field of data: 'episode'. Did you mean 'episodes'\?"),
        ("stages.polcy.training.steps=1", r"field of stages: 'polcy'. Did you mean 'policy'\?"),
        ("stages.policy.training.step=1", r"field of stages.policy.training: 'step'. Did you mean 'steps'\?"),
        ("data.episodes.x=1", "field of data.episodes: 'x'. Available: none"),
        ("data.episodes=many", "expected a whole number, got 'many' @ Recipe.data.episodes"),
        ("data.episodes=1.5", "expected a whole number, got 1.5"),
        ("data.depth=yes", "expected true or false, got 'yes'"),
        ("stages.policy.training.precision=int8", "int8"),
        ("evaluation.start=odd", "evaluation.start must be one of standard, shifted, got 'odd'"),
        ("data.episodes=0", "episodes >= 1"),
        ("data=1", "'data' is a group of fields: env, tasks, "),
        ("stages=1", "'stages' is a group of fields: imaginer, policy"),
        ("data.episodes", "written field.field=value, got 'data.episodes'"),
        ("=1", "written field.field=value"),
    ],
)
def test_wrong_overrides_say_what_there_is(assignment: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        override(TINY, (assignment,))


def test_stages_of_one_name_are_refused() -> None:
    """Both would be trained in one folder."""
    with pytest.raises(UsageError, match=rf"two stages are called '{TINY.stages[0].name}'"):
        replace(TINY, stages=(*TINY.stages, TINY.stages[0]))


def test_the_original_is_not_changed() -> None:
    before = json.loads(to_json(TINY))
    override(TINY, ("data.cameras=corner3", "stages.policy.training.steps=9"))
    assert json.loads(to_json(TINY)) == before


def test_the_papers_recipe_judges_its_videos_and_records_up_to_the_first_success() -> None:
    paper = catalogue.recipe("spatial-policy-paper")
    assert loop_settings(paper).critic == VideoJudgeConfig(), "one that needs no stage of its own"
    assert critic_stages(paper) == ()
    assert paper.data.hold_steps == 0
    assert loop_settings(with_agent(Run(Path("nowhere"), paper), judge="none").recipe).critic is None


def test_unknown_names() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'spatial-policy-tiny'"):
        catalogue.recipe("spatial-policy-tny")
    with pytest.raises(UnknownName, match="Did you mean 'imaginer'"):
        TINY.stage("imagine")


def test_variants_of_the_small_recipe_differ_in_the_imaginer_alone() -> None:
    base = catalogue.recipe("spatial-policy-small")
    variants = [recipe for recipe in catalogue.RECIPES.values() if recipe.name.startswith(f"{base.name}-")]
    assert {recipe.name.removeprefix(f"{base.name}-") for recipe in variants} == {
        "text",
        "distance",
        "local",
        "global",
        "recovery",
    }
    for recipe in variants:
        assert (recipe.data, recipe.agent, recipe.evaluation) == (base.data, base.agent, base.evaluation)
        assert recipe.stage("policy") == base.stage("policy"), "it can be taken from the base"
        assert default_data(recipe) == default_data(base), "collected once"
    steps = [
        sum(stage.training.steps for stage in recipe.stages if stage.name != "policy")
        for recipe in (base, *variants)
    ]
    assert len(set(steps)) == 1


def test_tasks_whose_pictures_changed_get_a_collection_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, other = catalogue.recipe("spatial-policy-small"), catalogue.recipe("quickstart")
    folder, same = default_data(recipe), default_data(other)
    monkeypatch.setattr(envs, "revised", lambda env, tasks: ())
    assert default_data(recipe) != folder
    assert default_data(other) == same
