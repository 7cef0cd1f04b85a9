"""Cells of SSM-VLA's tables are trained and measured like any other; what they share is trained once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.experiments import ssm_vla_recipes as recipes
from kinesight.experiments.ablations import Ablation, run_ablations
from kinesight.experiments.cells import Cell, stage_key
from kinesight.experiments.evaluation import recipe_cases
from kinesight.experiments.recipe import EvaluationConfig
from kinesight.experiments.ssm_vla_ablations import ablations
from kinesight.models.latent_actions import LatentActionsConfig
from kinesight.models.ssm_vla import SsmVlaConfig


def test_stages_are_alike_only_beside_the_same_teacher() -> None:
    base = recipes.SMALL
    other = recipes.with_horizons(base, "other", "one key frame", 1)
    assert stage_key(base, base.stage("features")) == stage_key(other, other.stage("features"))
    alone = replace(base.stage("lam"), teacher="")
    assert stage_key(base, base.stage("lam")) != stage_key(base, alone)
    again = replace(base, stages=(replace(base.stage("features"), name="seen"), base.stage("features")))
    assert stage_key(again, again.stage("seen")) == stage_key(again, again.stage("features"))


def test_what_watches_first_has_the_settings_of_what_acts() -> None:
    watched = recipes.with_labels(recipes.TINY, "watched", "video first", 1, recipes.ALL)
    causal = recipes.with_policy(watched, "causal", "causal", attention="causal")
    seeing = [stage.model for stage in causal.stages if isinstance(stage.model, SsmVlaConfig)]
    assert [(model.attention, model.actions) for model in seeing] == [("causal", False), ("causal", True)]
    assert [stage.name for stage in causal.stages] == ["features", "lam", "pretraining", "policy"]
    without = recipes.with_policy(watched, "without", "no latent plan", frames=0)
    assert [(stage.name, stage.teacher) for stage in without.stages] == [("pretraining", ""), ("policy", "")]


@pytest.mark.slow
def test_cells_share_features_and_latent_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = replace(
        recipes.TINY, evaluation=EvaluationConfig(tasks=("handle-press",), seeds=1, limit=6), data_name="tiny"
    )
    causal = recipes.with_policy(base, base.name, base.summary, attention="causal")
    table = Ablation("structure", "Parts", "", (Cell("full", base), Cell("causal", causal)))
    out = tmp_path / "out"
    said: list[str] = []
    run_ablations((table,), out, workers=1, announce=said.append)
    record = json.loads((out / "tables.json").read_text())
    assert [row["agent"] for row in record["structure"]["rows"]] == ["full", "causal"], said
    (folder,) = (out / "cells").glob("causal-*")
    assert set(json.loads((folder / "run.json").read_text())["taken"]) == {"features", "lam"}
    assert not (folder / "lam").exists()


def test_every_part_is_measured_on_single_tasks_and_on_chains_by_the_same_models() -> None:
    structure, longer, chains, *_ = ablations("small")
    features, sooner = structure.cells[len(chains.cells) :]
    assert [stage.name for stage in features.recipe.stages] == ["features", "lam", "policy"]
    lam = features.recipe.stage("lam").model
    assert isinstance(lam, LatentActionsConfig)
    assert not lam.differences
    assert sooner in longer.cells, "which is run once"
    steps = {cell.recipe.stage("policy").training.steps for cell in longer.cells}
    assert steps == {2.5 * structure.cells[0].recipe.stage("policy").training.steps}
    for one, other in zip(structure.cells, chains.cells, strict=False):
        assert one.name == other.name
        assert one.folder != other.folder
        for stage in one.recipe.stages:
            assert stage_key(one.recipe, stage) == stage_key(other.recipe, other.recipe.stage(stage.name))
        cases = recipe_cases(other.recipe)
        assert {(case.env, case.task) for case in cases} == {("metaworld-chains", "drawer")}
        assert {"drawer-open", "drawer-close"} <= {*other.recipe.data.tasks}
