"""Several processes at one ablation: nothing is done twice, nothing is lost when one of them dies."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import ablation_toys as toys
import pytest

from kinesight.experiments import ablations, cells, judged
from kinesight.experiments.ablations import run_ablations
from kinesight.experiments.cells import Cell, StageInUse, cell_key, cell_lock, run_cell, stage_key
from kinesight.experiments.runs import create_run
from kinesight.training.checkpoints import checkpoint_path, last_checkpoint
from kinesight.types.errors import KinesightError
from kinesight.types.files import write_atomic
from kinesight.types.locks import lock_if_free

NOISE, _ = toys.TABLES
ONE, TWO = NOISE.cells


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, stand_in in toys.STAND_INS.items():
        monkeypatch.setattr(cells, name, stand_in)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def done(out: Path) -> list[str]:
    file = out / "done.txt"
    return file.read_text().splitlines() if file.is_file() else []


def folder(out: Path, cell: cells.Cell) -> Path:
    return out / "cells" / cell.folder


def stage_lock(out: Path, cell: cells.Cell, stage: str) -> Path:
    return out / "locks" / f"stage-{stage_key(cell.recipe, cell.recipe.stage(stage))}"


@contextmanager
def elsewhere(monkeypatch, *locks: Path):
    """Another process holds the locks until somebody waits; yields what is then to be called."""
    with ExitStack() as held:
        for lock in locks:
            assert held.enter_context(lock_if_free(lock))
        before = [held.close]

        def wait(seconds: float) -> None:
            assert before, "waited longer than anybody was at work"
            while before:
                before.pop()()

        monkeypatch.setattr(ablations, "time", SimpleNamespace(sleep=wait))
        yield before


def test_a_cell_of_another_process_is_taken_from_it(out, monkeypatch):
    said: list[str] = []
    with elsewhere(monkeypatch, cell_lock(folder(out, ONE))) as before:
        before.append(lambda: run_cell(ONE, folder(out, ONE), announce=lambda _: None))
        tables = run_ablations((NOISE,), out, announce=said.append)
    measured = [line for line in done(out) if line.startswith("measure")]
    assert measured == [f"measure {TWO.folder}", f"measure {ONE.folder}"]  # each once, the free one first
    assert said == ["noise, two", "two: 2 episodes", "waiting for other processes, which are at noise, one"]
    assert list(tables["noise"].measured) == ["one", "two"]
    rows = json.loads((out / "tables.json").read_text())["noise"]["rows"]
    assert [row["agent"] for row in rows] == ["one", "two"]


def test_a_cell_whose_process_died_is_gone_on_with(out, monkeypatch):
    said: list[str] = []
    with elsewhere(monkeypatch, cell_lock(folder(out, ONE))):
        run_ablations((NOISE,), out, announce=said.append)
    assert [line for line in said if line.startswith("noise")] == ["noise, two", "noise, one"]
    assert [line for line in done(out) if line.startswith("train")] == ["train imaginer 4", "train policy 4"]


def test_what_fails_in_another_process_is_not_tried_again(out, monkeypatch):
    write_atomic(folder(out, ONE) / ablations.ERROR, "yesterday's\n")
    with elsewhere(monkeypatch, cell_lock(folder(out, ONE))) as before:
        before.append(lambda: write_atomic(folder(out, ONE) / ablations.ERROR, "today's\n"))
        tables = run_ablations((NOISE,), out, announce=lambda _: None)
    assert tables["noise"].failed == {"one": "today's"}
    assert f"measure {ONE.folder}" not in done(out)


def test_a_stage_of_another_process_comes_last_and_is_taken(out):
    with lock_if_free(stage_lock(out, TWO, "imaginer")):
        with pytest.raises(StageInUse, match="imaginer is being trained by another process"):
            run_cell(TWO, folder(out, TWO), announce=lambda _: None)
        assert done(out) == ["train policy 4"]  # which does not need the imaginer
        assert cells.awaited_stage(TWO.recipe, folder(out, TWO)) == "imaginer"
        run = create_run(folder(out, ONE), ONE.recipe)
        toys.train(run, None, ["imaginer"])
        assert cells.awaited_stage(TWO.recipe, folder(out, TWO)) == ""
    run_cell(TWO, folder(out, TWO), announce=lambda _: None)
    assert done(out)[1:] == ["train imaginer 4", f"measure {TWO.folder}"]
    taken = json.loads((folder(out, TWO) / "run.json").read_text())["taken"]
    assert {name: Path(stage["path"]) for name, stage in taken.items()} == {"imaginer": run.path / "imaginer"}


def test_a_judge_waits_for_the_imaginer_of_another_process(out):
    cell = Cell("judged", judged.judged(toys.TINY, judged.TINY.stage("realism")))
    with (
        lock_if_free(stage_lock(out, cell, "imaginer")),
        pytest.raises(StageInUse, match="imaginer is being trained by another process"),
    ):
        run_cell(cell, folder(out, cell), announce=lambda _: None)
    assert done(out) == ["train policy 4"]


def test_a_cell_that_waits_for_a_stage_says_nothing_until_it_can_go_on(out, monkeypatch):
    said: list[str] = []
    locks = [stage_lock(out, ONE, stage) for stage in ("imaginer", "policy")]
    with elsewhere(monkeypatch, *locks):
        run_ablations((NOISE,), out, announce=said.append)
    waiting = "waiting for other processes, which are at noise, one; noise, two"
    assert said == [waiting, "noise, one", "one: 2 episodes", "noise, two", "two: 2 episodes"]


def test_what_a_dead_process_left_of_a_stage_is_gone_on_with(out):
    left = create_run(folder(out, ONE), ONE.recipe).path / "imaginer"
    toys.checkpoint(left, 1)
    (left / "metrics.jsonl").write_text("begun\n")
    run_cell(TWO, folder(out, TWO), announce=lambda _: None)
    assert (folder(out, TWO) / "imaginer" / "metrics.jsonl").read_text() == "begun\n"
    assert not left.exists()
    run_cell(ONE, folder(out, ONE), announce=lambda _: None)
    assert [line for line in done(out) if "imaginer" in line] == ["train imaginer 4"]


def test_a_cell_with_results_keeps_its_stages(out):
    """Also where a stage has fewer steps than the recipe says."""
    run_cell(ONE, folder(out, ONE), announce=lambda _: None)
    kept = folder(out, ONE) / "imaginer" / "checkpoints"
    shutil.rmtree(kept)
    toys.checkpoint(kept.parent, 3)
    run_cell(TWO, folder(out, TWO), announce=lambda _: None)
    assert last_checkpoint(kept) == checkpoint_path(kept, 3)
    assert done(out)[-2:] == ["train imaginer 4", f"measure {TWO.folder}"]


def test_stages_that_were_cut_short_in_time_are_not_taken(out):
    """Runs of before cells were refused a limit of time."""
    limited = create_run(out / "cells" / "one-00000000", replace(ONE.recipe, training_minutes=25.0))
    limited.note_steps({"imaginer": 2, "policy": 2})
    toys.train(limited, None, ["imaginer", "policy"])
    run_cell(TWO, folder(out, TWO), announce=lambda _: None)
    assert done(out)[2:] == ["train imaginer 4", "train policy 4", f"measure {TWO.folder}"]
    left = limited.path / "imaginer" / "checkpoints"
    assert last_checkpoint(left) == checkpoint_path(left, 2)


def test_an_error_gives_every_lock_back(out, monkeypatch):
    def fails(*_: object) -> None:
        raise KinesightError("no disk")

    monkeypatch.setattr(cells, "train_run", fails)
    tables = run_ablations((NOISE,), out, announce=lambda _: None)
    assert set(tables["noise"].failed) == {"one", "two"}
    for lock in (out / "locks").iterdir():
        with lock_if_free(lock) as free:
            assert free, lock.name


def test_processes_share_the_work(out):
    script = Path(toys.__file__)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command, settings = [sys.executable, str(script), str(out)], os.environ | {"OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen(command, text=True, env=settings, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
    distinct = {cell_key(cell): cell for table in toys.TABLES for cell in table.cells}
    assert len(distinct) == 4
    assert sorted(line for line in done(out) if line.startswith("train")) == [
        "train imaginer 4",
        "train imaginer 5",
        "train policy 4",
        "train policy 5",
    ]
    measured = [line for line in done(out) if line.startswith("measure")]
    assert len(measured) == len(set(measured)) == len(distinct)
    record = json.loads((out / "tables.json").read_text())
    assert [table["not_run"] for table in record.values()] == [[], []]
    assert sum(len(table["rows"]) for table in record.values()) == 5
