"""Cells of SSM-VLA's tables are trained and measured like any other; what they share is trained once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.experiments import ssm_vla
from kinesight.experiments.ablations import Ablation, Cell, run_ablations, stage_key
from kinesight.experiments.recipe import EvaluationConfig


def test_stages_are_alike_only_beside_the_same_teacher() -> None:
    base = ssm_vla.SMALL
    other = ssm_vla.with_horizons(base, "other", "one key frame", 1)
    assert stage_key(base, base.stage("features")) == stage_key(other, other.stage("features"))
    alone = replace(base.stage("lam"), teacher="")
    assert stage_key(base, base.stage("lam")) != stage_key(base, alone)
    again = replace(base, stages=(replace(base.stage("features"), name="seen"), base.stage("features")))
    assert stage_key(again, again.stage("seen")) == stage_key(again, again.stage("features"))


@pytest.mark.slow
def test_cells_share_features_and_latent_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = replace(
        ssm_vla.TINY, evaluation=EvaluationConfig(tasks=("handle-press",), seeds=1, limit=6), data_name="tiny"
    )
    causal = ssm_vla.with_policy(base, base.name, base.summary, attention="causal")
    table = Ablation("structure", "Parts", "", (Cell("full", base), Cell("causal", causal)))
    out = tmp_path / "out"
    said: list[str] = []
    run_ablations((table,), out, workers=1, announce=said.append)
    record = json.loads((out / "tables.json").read_text())
    assert [row["agent"] for row in record["structure"]["rows"]] == ["full", "causal"], said
    (folder,) = (out / "cells").glob("causal-*")
    assert set(json.loads((folder / "run.json").read_text())["taken"]) == {"features", "lam"}
    assert not (folder / "lam").exists()
