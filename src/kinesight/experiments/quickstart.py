"""The main job at laptop size: collect, train, evaluate, report; every phase timed, every phase resumable."""

from collections.abc import Callable, Mapping
from pathlib import Path

from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import Results
from kinesight.evaluation.rollout import cases
from kinesight.experiments.evaluation import ROWS, run_rows
from kinesight.experiments.recipe import Recipe
from kinesight.experiments.runs import Run, create_run
from kinesight.experiments.training import default_data, prepare_data, processes, train_run

CHEAP_ROWS = ("agent",)
Announce = Callable[[str], None]


def quickstart(
    recipe: Recipe, out: Path, full: bool = False, command: str = "", announce: Announce = print
) -> dict[str, Results]:
    """Run what is not done yet and write `results.json` and `report.html` into `out`.

    `full` adds the control rows on the same cases: expert, blind replay, no goal, shuffled and oracle goals.
    """
    run = create_run(out, recipe)
    data = default_data(recipe)
    announce(f"demonstrations of {', '.join(recipe.data.tasks)} in {data}")
    with run.phase("collect"):
        store = prepare_data(recipe.data, data, command)
    for stage in recipe.stages:
        announce(f"training the {stage.name}: {stage.training.steps} steps")
        train_run(run, store, [stage.name])
    plan = recipe.evaluation
    chosen = cases(recipe.data.env, plan.tasks, range(plan.seeds), plan.cameras, plan.start)
    found: dict[str, Results] = {}
    for row in ROWS if full else CHEAP_ROWS:
        with run.phase("evaluate" if row == "agent" else "evaluate rows"):
            found |= run_rows(run, [row], chosen, out, processes(), plan.limit, command, announce)
    report_rows(run, found, out)
    return found


def report_rows(run: Run, found: Mapping[str, Results], out: Path) -> Path:
    """The page of an evaluation in `out`, with the run's training curves and phase times."""
    main, *others = found
    metrics = {stage.name: run.stage_folder(stage.name) / "metrics.jsonl" for stage in run.recipe.stages}
    curves = {name: file for name, file in metrics.items() if file.exists()}
    rows = {name: found[name] for name in others}
    return write_report(out, found[main], rows, phases=run.record().seconds, curves=curves)
