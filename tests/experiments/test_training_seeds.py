"""Ablations with several training seeds, and what the command says of cells that fail."""

import json

import ablation_toys as toys
import pytest

from kinesight.cli.ablate import ablate
from kinesight.experiments import catalogue, cells
from kinesight.experiments.ablations import CellsFailed, run_ablations
from kinesight.experiments.cells import Cell, cell_key, stage_key, with_training_seed
from kinesight.experiments.runs import Run, open_run
from kinesight.types.errors import KinesightError

NOISE, _ = toys.TABLES
ONE, TWO = NOISE.cells


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, stand_in in toys.STAND_INS.items():
        monkeypatch.setattr(cells, name, stand_in)


def seeds_of(cell: Cell) -> list[int]:
    return [stage.training.seed for stage in cell.recipe.stages]


def test_seed_0_is_the_cell_itself_and_others_keep_what_stages_differ_by():
    tuned = Cell("tuned", catalogue.recipe("spatial-policy-small-recovery"))
    assert with_training_seed(tuned, 0) is tuned
    assert len(set(seeds_of(tuned))) > 1
    assert seeds_of(with_training_seed(tuned, 3)) == [seed + 3 for seed in seeds_of(tuned)]
    assert with_training_seed(tuned, 3).folder.startswith("tuned-seed-3-")
    keys = {cell_key(with_training_seed(cell, seed)) for cell in (ONE, TWO) for seed in range(3)}
    assert len(keys) == 6


def test_stages_are_shared_within_a_training_seed_only():
    keys = {
        (seed, name): stage_key(seeded.recipe, seeded.recipe.stage("policy"))
        for seed in range(2)
        for name, seeded in ((cell.name, with_training_seed(cell, seed)) for cell in (ONE, TWO))
    }
    assert keys[0, "one"] == keys[0, "two"] != keys[1, "one"] == keys[1, "two"]


def test_rows_are_pooled_over_the_seeds_and_earlier_cells_stay(tmp_path):
    out, said = tmp_path / "out", []
    run_ablations((NOISE,), out, announce=said.append)
    tables = run_ablations((NOISE,), out, announce=said.append, seeds=(0, 1, 2))
    titles = [line for line in said if line.startswith("noise")]
    assert titles == [f"noise, {name}" for name in ("one", "two")] + [
        f"noise, {name}, seed {seed}" for seed in (1, 2) for name in ("one", "two")
    ]
    trained = [line for line in (out / "done.txt").read_text().splitlines() if line.startswith("train")]
    assert trained == 3 * ["train imaginer 4", "train policy 4"]
    one = tables["noise"].measured["one"]
    assert sorted(set(one.trainings)) == [0, 1, 2]
    assert (one.success.successes, one.success.episodes) == (3, 6)
    recipes = [open_run(file.parent).recipe for file in out.glob("cells/one-seed-2-*/recipe.json")]
    assert [[stage.training.seed for stage in recipe.stages] for recipe in recipes] == [[2, 2]]

    again = run_ablations((NOISE,), out, announce=said.append)  # asks for less, shows what is there
    assert again["noise"].seeds == (0, 1, 2)
    assert len([line for line in said if line.startswith("noise")]) == len(titles)


def test_a_seed_that_failed_is_told_beside_those_that_are_there(tmp_path, monkeypatch):
    def fails(run: Run, *arguments: object) -> object:
        if "two-seed-1" in run.path.name:
            raise KinesightError("no disk")
        return toys.measure(run, *arguments)

    monkeypatch.setattr(cells, "run_row", fails)
    out = tmp_path / "out"
    table = run_ablations((NOISE,), out, announce=lambda _: None, seeds=(0, 1))["noise"]
    assert (table.failed, table.missing, list(table.measured)) == (
        {"two": "seed 1: no disk"},
        (),
        ["one", "two"],
    )
    record = json.loads((out / "tables.json").read_text())["noise"]
    assert record["by_training"]["two"].endswith("1 of 2 seeds")
    assert [row["episodes"] for row in record["rows"]] == [4, 2]


def test_the_command_fails_where_a_cell_did_after_everything_is_written(tmp_path, monkeypatch, capsys):
    def fails(run: Run, *arguments: object) -> object:
        if run.path.name.startswith("one"):
            raise KinesightError("no disk")
        return toys.measure(run, *arguments)

    monkeypatch.setattr(catalogue, "ablations", lambda system, budget: (NOISE,))
    monkeypatch.setattr(cells, "run_row", fails)
    with pytest.raises(CellsFailed, match=r"^failed: noise, one\. .*error\.txt") as caught:
        ablate("spatial-policy", out=tmp_path)
    assert caught.value.status == 1
    record = json.loads((tmp_path / "tables.json").read_text())["noise"]
    assert (list(record["failed"]), [row["agent"] for row in record["rows"]]) == (["one"], ["two"])
    assert str(tmp_path / "report.html") in capsys.readouterr().out
    monkeypatch.setattr(cells, "run_row", toys.measure)
    ablate("spatial-policy", out=tmp_path)
    monkeypatch.setattr(cells, "run_row", fails)
    with pytest.raises(CellsFailed, match=r"^failed: noise, one, seed 1\. "):
        ablate("spatial-policy", training_seeds="0-1", out=tmp_path)
    ablate("spatial-policy", out=tmp_path)  # has not tried the seed that failed
