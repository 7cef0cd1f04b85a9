"""Ablations: what is alike is trained once, what is finished stays, what fails is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kinesight.evaluation.results import Results, write_results
from kinesight.experiments import ablations as runner
from kinesight.experiments import catalogue, judged
from kinesight.experiments.ablations import Ablation, run_ablations
from kinesight.experiments.cells import Cell, results_folder, stage_key
from kinesight.experiments.evaluation import recipe_cases
from kinesight.experiments.recipe import EvaluationConfig, Recipe, Stage
from kinesight.experiments.runs import RunRecord
from kinesight.experiments.spatial_policy_ablations import with_imaginer
from kinesight.training.loop import Interrupted
from kinesight.types.errors import KinesightError, UnknownName, UsageError
from kinesight.types.files import write_atomic
from kinesight.types.results import EpisodeResult
from kinesight.types.serial import to_json


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
    minutes = record["noise"]["minutes"]
    assert minutes["one"]["training"] > 0
    assert minutes["two"]["training"] == 0  # its stages cost nothing
    assert min(cell["evaluation"] for cell in minutes.values()) > 0

    said: list[str] = []
    run_ablations(tables, out, ["noise"], workers=1, announce=said.append)
    assert not said
    found = run_ablations(tables, out, workers=1, announce=said.append)
    assert said[0] == "again, expert"
    assert not found["again"].missing


def two_cells(base: Recipe) -> Ablation:
    return Ablation("noise", "Noise", "", (Cell("one", base), Cell("two", with_noise(base, 1))))


def measure(cell: Cell, folder: Path) -> Results:
    """As `run_cell` does, without training or episodes."""
    episodes = tuple(EpisodeResult(case, True, 3) for case in recipe_cases(cell.recipe))
    results = Results("agent", "shifted", episodes)
    write_results(results_folder(folder), results)
    return results


@pytest.mark.parametrize(
    ("error", "reason"),
    [(KinesightError("no disk"), "no disk"), (ValueError("shapes\ndiffer"), "ValueError: shapes differ")],
)
def test_a_cell_that_fails_says_why_and_does_not_end_the_others(tmp_path, monkeypatch, base, error, reason):
    monkeypatch.chdir(tmp_path)
    tried = []

    def fails_once(cell: Cell, folder: Path, *_: object) -> Results:
        tried.append(cell.name)
        if tried == ["one"]:
            raise error
        return measure(cell, folder)

    monkeypatch.setattr(runner, "run_cell", fails_once)
    said: list[str] = []
    again = replace(two_cells(base), name="again")  # the same cells: what failed is not tried twice in a call
    found = run_ablations((two_cells(base), again), tmp_path / "out", announce=said.append)["noise"]
    assert tried == ["one", "two"]
    assert (found.failed, found.missing, list(found.measured)) == ({"one": reason}, (), ["two"])
    assert f"one failed: {reason}" in said
    assert json.loads((tmp_path / "out/tables.json").read_text())["noise"]["failed"] == {"one": reason}
    assert reason in (tmp_path / "out/report.html").read_text()
    (note,) = (tmp_path / "out").glob("cells/one-*/error.txt")
    assert "Traceback" in note.read_text()

    other = Ablation("other", "Other", "", (Cell("three", with_noise(base, 2)),))
    tables = (two_cells(base), other)
    assert run_ablations(tables, tmp_path / "out", ["other"])["noise"].failed == {"one": reason}
    assert run_ablations(tables, tmp_path / "out", ["noise"])["noise"].failed == {}
    assert tried[2:] == ["three", "one"]
    assert not note.exists()


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_cells_that_trained_for_longer_than_the_budget_are_named(tmp_path, monkeypatch, base, seeds):
    """Each training counts by itself: two short ones of a cell are within it."""
    spent = iter([25.0, 11.0, 11.0, 12.0])

    def takes_long(cell: Cell, folder: Path, *_: object) -> Results:
        seconds = {"collect": 9000.0, "train policy": 60 * next(spent), "evaluate": 9000.0}
        write_atomic(folder / "run.json", to_json(RunRecord(seconds=seconds)))
        return measure(cell, folder)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "run_cell", takes_long)
    silent = {"announce": lambda _: None, "seeds": seeds}
    table = replace(two_cells(base), note="A note.", minutes=20.0)
    found = run_ablations((table,), tmp_path / "out", **silent)["noise"]
    assert found.note == "A note. Trained for longer than the 20 minutes of the budget: one (25.0)."
    assert found.note in (tmp_path / "out/report.html").read_text()
    assert json.loads((tmp_path / "out/tables.json").read_text())["noise"]["note"] == found.note
    unlimited = run_ablations((replace(table, minutes=0.0),), tmp_path / "out", **silent)["noise"]
    assert unlimited.note == "A note."


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Interrupted("saved")])
def test_an_interruption_ends_the_ablation(tmp_path, monkeypatch, base, stop):
    monkeypatch.chdir(tmp_path)
    tried = []

    def interrupted(cell: Cell, *_: object) -> Results:
        tried.append(cell.name)
        raise stop

    monkeypatch.setattr(runner, "run_cell", interrupted)
    with pytest.raises(type(stop)):
        run_ablations((two_cells(base),), tmp_path / "out", announce=lambda _: None)
    assert tried == ["one"]
    assert not list((tmp_path / "out").glob("cells/*/error.txt"))


def test_stages_are_alike_only_if_everything_that_they_learn_from_is(base):
    policy = base.stage("policy")
    other_agent = with_noise(base, 1)
    other_data = replace(base, data=replace(base.data, episodes=3))
    assert stage_key(base, policy) == stage_key(other_agent, policy)
    assert stage_key(base, policy) != stage_key(other_data, policy)
    fine_tuned = catalogue.recipe("spatial-policy-small-recovery")
    stage = fine_tuned.stage("imaginer")
    assert stage_key(fine_tuned, stage) != stage_key(fine_tuned, replace(stage, needs=""))


def test_a_judge_is_shared_only_beside_the_same_imaginer(base):
    def key(stage: str, imaginer: Stage) -> str:
        recipe = with_imaginer(judged_recipe, imaginer)
        return stage_key(recipe, recipe.stage(stage))

    judged_recipe = judged.judged(base)
    same = base.stage("imaginer")
    others = (
        replace(same, model=replace(same.model, condition="text")),
        replace(same, training=replace(same.training, seed=1)),
        replace(same, model=replace(same.model, guidance=2.0)),  # the same weights, other videos
    )
    assert len({key("realism", imaginer) for imaginer in (same, *others)}) == 4
    assert {key("policy", imaginer) for imaginer in (same, *others)} == {
        stage_key(base, base.stage("policy"))
    }
    assert key("imaginer", same) == stage_key(base, same) == key("imaginer", others[2])


def test_cells_make_all_steps_whatever_time_they_take(base):
    with pytest.raises(UsageError, match=r"cell 'one': training_minutes must be 0, got 25"):
        Cell("one", replace(base, training_minutes=25.0))
    for table in catalogue.ablations("spatial-policy", "paper"):
        assert {cell.recipe.stage("policy").training.steps for cell in table.cells} == {10_000}


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
