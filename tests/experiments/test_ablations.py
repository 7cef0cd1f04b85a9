"""Ablations: what is alike is trained once, what is finished stays, what fails is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.experiments import catalogue
from kinesight.experiments.ablations import Ablation, Cell, run_ablations, stage_key
from kinesight.experiments.recipe import EvaluationConfig, Recipe
from kinesight.types.errors import KinesightError, UnknownName, UsageError


@pytest.fixture
def base() -> Recipe:
    tiny = catalogue.recipe("spatial-policy-tiny")
    return replace(tiny, evaluation=EvaluationConfig(tasks=("handle-press",), seeds=1, limit=6))


def with_noise(base: Recipe, seed: int) -> Recipe:
    return replace(base, agent=replace(base.agent, noise_seed=seed))


def folders(out: Path) -> list[str]:
    return sorted(folder.name for folder in (out / "cells").iterdir())


def test_cells_share_stages_and_finished_ones_are_kept(tmp_path, monkeypatch, base):
    monkeypatch.chdir(tmp_path)
    tables = (
        Ablation("noise", "Noise", "", (Cell("one", base), Cell("two", with_noise(base, 1)))),
        Ablation(
            "again", "The same under another name", "", (Cell("first", base), Cell("expert", base, "expert"))
        ),
    )
    out = tmp_path / "out"
    run_ablations(tables, out, ["noise"], workers=1, announce=lambda _: None)
    one, two = folders(out)
    assert (out / "cells" / one / "imaginer" / "checkpoints").is_dir()
    assert not (out / "cells" / two / "imaginer").exists()  # taken from the first cell
    assert set(json.loads((out / "cells" / two / "run.json").read_text())["taken"]) == {"imaginer", "policy"}
    record = json.loads((out / "tables.json").read_text())
    assert [row["agent"] for row in record["noise"]["rows"]] == ["one", "two"]
    assert record["again"]["not_run"] == ["expert"]  # "first" is the cell "one", which is done

    said: list[str] = []
    run_ablations(tables, out, ["noise"], workers=1, announce=said.append)
    assert not said
    found = run_ablations(tables, out, workers=1, announce=said.append)
    assert said[0] == "again, expert"
    assert not found["again"].missing


def test_a_cell_that_fails_is_not_run_and_does_not_end_the_others(tmp_path, monkeypatch, base):
    monkeypatch.chdir(tmp_path)

    def fails(cell: Cell, *_: object) -> None:
        raise KinesightError(f"no disk for {cell.name}")

    monkeypatch.setattr("kinesight.experiments.ablations.run_cell", fails)
    said: list[str] = []
    table = Ablation("noise", "Noise", "", (Cell("one", base), Cell("two", with_noise(base, 1))))
    found = run_ablations((table,), tmp_path / "out", announce=said.append)
    assert found["noise"].missing == ("one", "two")
    assert "one was not run: no disk for one" in said
    assert "two was not run: no disk for two" in said


def test_stages_are_alike_only_if_everything_that_they_learn_from_is(base):
    policy = base.stage("policy")
    other_agent = with_noise(base, 1)
    other_data = replace(base, data=replace(base.data, episodes=3))
    assert stage_key(base, policy) == stage_key(other_agent, policy)
    assert stage_key(base, policy) != stage_key(other_data, policy)
    fine_tuned = catalogue.recipe("spatial-policy-small-recovery")
    stage = fine_tuned.stage("imaginer")
    assert stage_key(fine_tuned, stage) != stage_key(fine_tuned, replace(stage, needs=""))


@pytest.mark.parametrize("budget", ["small", "paper"])
def test_every_table_compares_cells_that_differ(budget):
    for table in catalogue.ablations("spatial-policy", budget):
        keys = {cell.folder.rpartition("-")[2] for cell in table.cells}
        assert len(keys) == len(table.cells), table.name


def test_small_cells_are_the_four_tasks_on_25_seeds():
    cells = [cell for table in catalogue.ablations("spatial-policy", "small") for cell in table.cells]
    for cell in cells:
        plan = cell.recipe.evaluation
        assert plan.tasks == ("button-press-topdown", "faucet-close", "door-open", "hammer")
        assert (plan.seeds, plan.start, plan.cameras) == (25, "shifted", ("corner",))


def test_bad_names(base):
    with pytest.raises(UnknownName, match="spatial-policy"):
        catalogue.ablations("spatial-polcy", "small")
    with pytest.raises(UnknownName, match="small"):
        catalogue.ablations("spatial-policy", "smal")
    with pytest.raises(UsageError, match="different names"):
        Ablation("a", "", "", (Cell("x", base), Cell("x", base)))
    longer = replace(base, evaluation=replace(base.evaluation, limit=7))
    with pytest.raises(UsageError, match="same cases"):
        Ablation("a", "", "", (Cell("x", base), Cell("y", longer)))
