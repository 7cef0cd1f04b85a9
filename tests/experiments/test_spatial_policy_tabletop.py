"""Spatial Policy on the table-top: one tiny run through the same functions as the commands, all its rows."""

from pathlib import Path

import numpy as np
import pytest

from kinesight.envs import catalogue as envs
from kinesight.envs.tabletop_guess import ToldOtherwise, guess
from kinesight.evaluation.results import read_results
from kinesight.experiments import catalogue
from kinesight.experiments.evaluation import recipe_cases, report_rows, run_rows
from kinesight.experiments.recipe import override
from kinesight.experiments.rows import expert_collection, rows_of, table_rows
from kinesight.experiments.runs import create_run
from kinesight.experiments.training import default_data, run_data, train_run
from kinesight.types.case import Case
from kinesight.types.decision import Decision
from kinesight.types.errors import UnknownName
from kinesight.types.observation import Observation, ViewRequest

RECIPE = catalogue.recipe("spatial-policy-tabletop")
TINY = override(
    RECIPE,
    (
        "data.episodes=1", "data.height=24", "data.width=24", "data.hold_steps=0", "data.noise_std=0",
        "stages.imaginer.model.batch_size=2", "stages.imaginer.model.base=16",
        "stages.imaginer.model.depth=1",
        "stages.imaginer.model.multipliers=1,2", "stages.imaginer.model.features=32",
        "stages.imaginer.model.steps=1", "stages.imaginer.training.steps=1",
        "stages.policy.model.batch_size=2", "stages.policy.model.features=32", "stages.policy.model.steps=1",
        "stages.policy.model.widths=16,32", "stages.policy.training.steps=1",
        "evaluation.seeds=1", "evaluation.limit=3",
    ),
)  # fmt: skip
ROWS = ("agent", "blind replay", "guessing expert", "other instruction")


@pytest.mark.slow
def test_it_trains_and_every_row_is_measured_on_a_split(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kinesight.experiments.training.processes", lambda: 1)
    run = create_run(Path("run"), TINY)
    train_run(run, run_data(run))
    cases = recipe_cases(TINY, split="unseen-colours")
    found = run_rows(run, ROWS, cases, Path("out"), 1, TINY.evaluation.limit)
    assert set(found) == set(ROWS)
    for name, results in found.items():
        assert results.protocol == "standard, unseen-colours", name
        assert results.cases == tuple(cases)
        assert [episode.steps for episode in results.episodes] == [3]
    assert found["agent"].privileged == ("scene",)
    assert found["blind replay"].privileged == ()
    assert report_rows(run, found, Path("out")).exists()
    assert read_results(Path("out/row-other-instruction")).cases == tuple(cases)


def test_cases_of_a_split_and_their_expert(tmp_path: Path):
    assert {case.split for case in recipe_cases(RECIPE)} == {""}
    cases = recipe_cases(RECIPE, seeds=(0, 1), split="unseen-colours")
    assert {case.split for case in cases} == {"unseen-colours"}
    run = create_run(tmp_path / "run", RECIPE)
    assert expert_collection(run, cases).split == "unseen-colours"
    assert expert_collection(run, recipe_cases(RECIPE, seeds=(0, 1))).split == "train"
    assert default_data(RECIPE) != default_data(override(RECIPE, ("data.split=unseen-colours",)))
    with pytest.raises(UnknownName, match="Did you mean 'unseen-colours'"):
        recipe_cases(RECIPE, split="unseen-colors")
    with pytest.raises(UnknownName, match="Unknown metaworld split 'unseen-colours'"):
        recipe_cases(catalogue.recipe("quickstart"), split="unseen-colours")


def test_rows_without_the_sentence_are_for_scenes_with_a_choice():
    quickstart = catalogue.recipe("quickstart")
    assert "guessing expert" in table_rows(("all",), RECIPE)
    assert "guessing expert" not in table_rows(("all",), quickstart)
    assert set(rows_of(quickstart)) < set(rows_of(RECIPE))
    with pytest.raises(UnknownName, match="row of quickstart 'guessing expert'"):
        table_rows(("guessing expert",), quickstart)


class Listener:
    """Keeps what it is shown."""

    privileged = ("scene",)
    heard: Observation

    def reset(self, case: Case) -> None:
        pass

    def request(self) -> ViewRequest:
        return ViewRequest(scene=True)

    def act(self, observation: Observation) -> Decision:
        self.heard = observation
        return Decision(np.zeros(7))


def test_an_agent_that_is_told_otherwise_sees_another_target_and_goal():
    others = 0
    for seed in range(6):
        case = Case("tabletop", "pick-attribute", seed, "front")
        environment, listener = envs.make_case(case), Listener()
        environment.reset()
        agent = ToldOtherwise(listener)
        agent.reset(case)
        seen = environment.observe(agent.request())
        agent.act(seen)
        heard, step = listener.heard, guess(case).steps[0]
        assert seen.scene is not None
        assert heard.scene is not None
        assert heard.instruction == f"put the {step.item} into the {step.place}"  # type: ignore[union-attr]
        np.testing.assert_array_equal(heard.scene.points["gripper"], seen.scene.points["gripper"])
        np.testing.assert_array_equal(heard.scene.state, seen.scene.state)
        others += not np.allclose(heard.scene.points["target"], seen.scene.points["target"])
    assert others >= 4
