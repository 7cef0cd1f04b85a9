"""Ablations without data, learning or episodes; as a script, one of several processes that work on one.

What is trained and what is measured is noted, one line each, in `done.txt` beside the cells.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinesight.data.episodes import EpisodeStore
from kinesight.evaluation.results import Results, write_results
from kinesight.experiments import ablations, catalogue, cells
from kinesight.experiments.ablations import Ablation
from kinesight.experiments.cells import Cell
from kinesight.experiments.recipe import EvaluationConfig, Recipe
from kinesight.experiments.runs import WEIGHTS, Run
from kinesight.training.checkpoints import checkpoint_path
from kinesight.types.case import Case
from kinesight.types.files import write_atomic
from kinesight.types.results import EpisodeResult

TINY = replace(
    catalogue.recipe("spatial-policy-tiny"),
    evaluation=EvaluationConfig(tasks=("handle-press",), seeds=2, limit=6),
)


def with_noise(base: Recipe, seed: int) -> Recipe:
    """Another agent on the same trained stages."""
    return replace(base, agent=replace(base.agent, noise_seed=seed))


def with_longer(base: Recipe, stage: str) -> Recipe:
    """One stage trained for longer, the others as they were."""
    stages = tuple(
        replace(each, training=replace(each.training, steps=each.training.steps + 1))
        if each.name == stage
        else each
        for each in base.stages
    )
    return replace(base, stages=stages)


TABLES = (
    Ablation("noise", "Noise", "", (Cell("one", TINY), Cell("two", with_noise(TINY, 1)))),
    Ablation(
        "steps",
        "Steps",
        "",
        (
            Cell("base", TINY),
            Cell("longer policy", with_longer(TINY, "policy")),
            Cell("longer imaginer", with_longer(TINY, "imaginer")),
        ),
    ),
)


def note(cell: Path, what: str) -> None:
    with (cell.parent.parent / "done.txt").open("a") as file:
        file.write(f"{what}\n")


def checkpoint(folder: Path, step: int) -> None:
    """As much of one as tells that it is there."""
    path = checkpoint_path(folder / "checkpoints", step)
    write_atomic(path / WEIGHTS, str(step))
    write_atomic(path / "config.json", "{}")


def train(run: Run, store: object, stages: Sequence[str]) -> None:
    """Stands in for `train_run`."""
    for name in stages:
        if name in run.record().taken:
            continue
        note(run.path, f"train {name} {run.stage(name).training.steps}")
        checkpoint(run.path / name, 0)
        time.sleep(DELAY_S)
        checkpoint(run.path / name, run.stage(name).training.steps)


def measure(run: Run, row: str, cases: Sequence[Case], out: Path, *_: Any) -> Results:
    """Stands in for `run_row`."""
    note(run.path, f"measure {run.path.name}")
    results = Results(row, cases[0].start, tuple(EpisodeResult(case, case.seed == 0, 3) for case in cases))
    write_results(out, results)
    return results


DELAY_S = 0.0
STAND_INS = {
    "run_data": lambda run, command: object.__new__(EpisodeStore),  # nobody looks into it
    "check_stages": lambda run, store, names: None,
    "train_run": train,
    "run_row": measure,
}

if __name__ == "__main__":
    DELAY_S = 0.5
    ablations.PAUSE_S = 0.1
    for name, stand_in in STAND_INS.items():
        setattr(cells, name, stand_in)
    print("ready", flush=True)
    sys.stdin.readline()
    ablations.run_ablations(TABLES, Path(sys.argv[1]))
