"""Stages that a run takes from another one, from the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.evaluation.results import read_results
from kinesight.experiments import catalogue
from kinesight.experiments.runs import check_taken
from kinesight.types.errors import DataError
from kinesight.types.files import write_atomic
from kinesight.types.serial import to_json


def test_a_run_of_taken_stages_trains_nothing_and_is_measured(kinesight, workspace: Path) -> None:
    words = ("train", "spatial-policy-tiny", "--init", "imaginer=tiny,policy=tiny/policy", "--out", "shared")
    for _ in range(2):  # and the same command again
        outcome = kinesight(*words)
        assert outcome.status == 0, outcome.err
    assert not (workspace / "shared" / "policy").exists()
    record = json.loads((workspace / "shared" / "run.json").read_text())
    assert {stage: taken["path"] for stage, taken in record["taken"].items()} == {
        "imaginer": "tiny/imaginer",
        "policy": "tiny/policy",
    }
    outcome = kinesight("evaluate", "shared", "--seeds", "0", "--start", "shifted", "--workers", "1")
    assert outcome.status == 0, outcome.err
    (results,) = (workspace / "shared").glob("**/results.json")
    assert read_results(results.parent).checkpoints == read_results(workspace / "tiny").checkpoints


def test_wrong_use_is_answered(kinesight, workspace: Path) -> None:
    def answer(init: str) -> tuple[int, str]:
        outcome = kinesight("train", "spatial-policy-tiny", "--init", init, "--out", "none")
        return outcome.status, " ".join(outcome.err.split())

    status, text = answer("imagine=tiny")
    assert status == 2
    assert "Did you mean 'imaginer'?" in text
    status, text = answer("imaginer")
    assert status == 2
    assert "STAGE=RUN" in text
    status, text = answer("imaginer=nowhere")
    assert status == 1
    assert "nowhere: no trained stage here" in text


def test_a_stage_that_was_trained_otherwise_is_refused_with_what_to_set(kinesight, workspace: Path) -> None:
    words = ("train", "spatial-policy-tiny", "--init", "imaginer=tiny,policy=tiny", "--out", "otherwise")
    model = json.loads((workspace / "tiny" / "recipe.json").read_text())["stages"][1]["model"]
    assert model["type"] == "GoalPolicyConfig"
    horizon = model["horizon"]
    outcome = kinesight(*words, "--set", f"stages.policy.model.horizon={horizon + 2}")
    text = " ".join(outcome.err.split())
    assert outcome.status == 1
    assert f"was trained otherwise than spatial-policy-tiny says (horizon {horizon + 2}); add --set " in text
    assert f"stages.policy.model.horizon={horizon}" in text
    assert not (workspace / "otherwise").exists(), "another attempt begins anew"
    sampled = kinesight(*words, "--set", "stages.imaginer.model.steps=3")
    assert sampled.status == 0, sampled.err


def test_nested_settings_are_told_as_they_are_set(kinesight, workspace: Path) -> None:
    recipe = catalogue.recipe("ssm-vla-tiny")
    vit = replace(recipe.stages[0].model.vit, blocks=2)  # type: ignore[union-attr]
    other = replace(recipe.stages[0], model=replace(recipe.stages[0].model, vit=vit))  # type: ignore[arg-type]
    folder = workspace / "features" / "checkpoints" / "0000001"
    write_atomic(folder / "config.json", to_json({"stage": other, "facts": {}}))
    (folder.parent / "last").symlink_to(folder.name)
    with pytest.raises(
        DataError, match=r"\(vit\.blocks 1\); add --set stages\.features\.model\.vit\.blocks=2$"
    ):
        check_taken(recipe, "features", workspace / "features")
    small = catalogue.recipe("spatial-policy-tiny").stage("policy")
    wide = replace(small, name="policy", model=replace(small.model, widths=(16, 32)))  # type: ignore[arg-type]
    write_atomic(folder / "config.json", to_json({"stage": wide, "facts": {}}))
    with pytest.raises(DataError, match=r"add --set 'stages\.policy\.model\.widths=\[16, 32\]'$"):
        check_taken(catalogue.recipe("spatial-policy-tiny"), "policy", workspace / "features")
    write_atomic(folder / "config.json", to_json({"stage": other, "facts": {}}))
    policy = replace(recipe, stages=(replace(recipe.stages[2], name="features", teacher=""),))
    with pytest.raises(
        DataError, match="is a MaskedAutoencoderConfig, features of ssm-vla-tiny a SsmVlaConfig"
    ):
        check_taken(policy, "features", workspace / "features")
    write_atomic(folder / "config.json", to_json({"recipe": "pointing"}))
    with pytest.raises(DataError, match="'stage' is missing, this is no checkpoint of a stage"):
        check_taken(recipe, "features", workspace / "features")
