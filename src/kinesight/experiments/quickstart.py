"""The main job at laptop size: collect, train, evaluate, report; every phase timed, every phase resumable."""

from pathlib import Path

from kinesight.evaluation.results import Results
from kinesight.experiments.evaluation import ROWS, Announce, recipe_cases, report_rows, run_rows
from kinesight.experiments.recipe import Recipe
from kinesight.experiments.runs import create_run
from kinesight.experiments.training import processes, run_data, train_run


def quickstart(
    recipe: Recipe, out: Path, full: bool = False, command: str = "", announce: Announce = print
) -> dict[str, Results]:
    """Run what is not done yet and write `results.json` and `report.html` into `out`.

    `full` adds the control rows on the same cases: expert, blind replay, no goal, shuffled and oracle goals.
    """
    run = create_run(out, recipe)
    announce(f"demonstrations of {', '.join(recipe.data.tasks)}")
    with run.phase("collect"):
        store = run_data(run, command=command)
    for stage in recipe.stages:
        announce(f"training the {stage.name}: {stage.training.steps} steps")
        train_run(run, store, [stage.name])
    cases, limit = recipe_cases(recipe), recipe.evaluation.limit
    found: dict[str, Results] = {}
    for row in [row.name for row in ROWS.values() if row.system == "own"] if full else ["agent"]:
        with run.phase("evaluate" if row == "agent" else "evaluate rows"):
            found |= run_rows(run, [row], cases, out, processes(), limit, command, announce)
    report_rows(run, found, out)
    return found
