"""What the bench of imagining says of a trained run: all videos together, and by task."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kinesight.evaluation.statistics import wilson_interval
from kinesight.experiments.pictures import Imagined
from kinesight.types.plan import PlanRow, SpatialPlan

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("imagine")


def imagined(error: float, copy_error: float) -> Imagined:
    plan = SpatialPlan((PlanRow("reach", (1, -1, 0), 0.11),))
    return Imagined(plan, np.zeros((4, 4, 3), np.uint8), error, copy_error)


def test_sets_of_tasks_and_figures_of_each(bench, monkeypatch) -> None:
    recipe = SimpleNamespace(
        data=SimpleNamespace(env="metaworld", cameras=("corner",)),
        evaluation=SimpleNamespace(tasks=("hammer",)),
    )
    monkeypatch.setattr(bench, "open_run", lambda _: SimpleNamespace(recipe=recipe))
    monkeypatch.setattr(bench, "with_agent", lambda run, settings: run)
    errors = {"hammer": 0.3, "basketball": 0.1}
    monkeypatch.setattr(
        bench, "imagined_against_expert", lambda _, case: imagined(errors[case.task], 0.15 + 0.1 * case.seed)
    )
    found = bench.quality(Path("run"), "medium", (0, 1, 2))
    assert list(found["per_task"]) == ["hammer", "basketball"]
    assert found["per_task"]["hammer"]["closer"] == 1
    assert found["per_task"]["basketball"]["closer"] == 3
    assert (found["videos"], found["closer"], found["closer_than_copy"]) == (6, 4, 4 / 6)
    interval = wilson_interval(4, 6)
    assert found["closer_than_copy_95"] == [interval.low, interval.high]
    assert found["error"] == pytest.approx(0.2)
    assert found["copy_error"] == pytest.approx(0.25)
    assert "closer than that 67 % (30–90)" in bench.quality_line("all", found)
    assert list(bench.quality(Path("run"), "", (0,))["per_task"]) == ["hammer"]


def test_a_recipes_imaginer_is_timed_in_imagining_and_in_training(bench) -> None:
    found = bench.ours("spatial-policy-tiny", 32, 1)
    assert found["training_batch"] > 1
    assert all(np.isfinite(value) and value > 0 for value in found.values())
