"""The main job at laptop size: collect, train, evaluate, report; every phase timed, every phase resumable."""

from pathlib import Path

from kinesight.evaluation.results import Results
from kinesight.experiments.evaluation import Announce, recipe_cases, report_rows, run_rows
from kinesight.experiments.pace import fewest_steps
from kinesight.experiments.recipe import Recipe, Stage
from kinesight.experiments.rows import ROWS, rows_of
from kinesight.experiments.runs import Run, create_run
from kinesight.experiments.training import check_stages, fit_steps, processes, run_data, train_run


def quickstart(
    recipe: Recipe, out: Path, full: bool = False, command: str = "", announce: Announce = print
) -> dict[str, Results]:
    """Run what is not done yet and write `results.json` and `report.html` into `out`.

    `full` adds the control rows on the same cases: expert, blind replay, no goal, shuffled and oracle goals,
    and where the sentence chooses among things also rows without it.
    """
    run = create_run(out, recipe)
    announce(f"demonstrations of {', '.join(recipe.data.tasks)}")
    with run.phase("collect"):
        store = run_data(run, command=command)
    check_stages(run, store, [stage.name for stage in recipe.stages])
    fit_steps(run, store)
    for stage in recipe.stages:
        announce(f"training the {stage.name}: {told_steps(run, stage)}")
        train_run(run, store, [stage.name])
    cases, limit = recipe_cases(recipe), recipe.evaluation.limit
    found: dict[str, Results] = {}
    own = [name for name in rows_of(recipe) if ROWS[name].follower == "own" and ROWS[name].told == "its own"]
    for row in own if full else ["agent"]:
        with run.phase("evaluate" if row == "agent" else "evaluate rows"):
            found |= run_rows(run, [row], cases, out, processes(), limit, command, announce)
    report_rows(run, found, out)
    return found


def told_steps(run: Run, stage: Stage) -> str:
    """How many steps the stage makes, and why where that is fewer than the recipe's."""
    asked, made = stage.training.steps, run.stage(stage.name).training.steps
    if made == asked:
        return f"{made} steps"
    minutes = run.recipe.training_minutes
    aim = f"to end in {minutes:g} min on this machine"
    if made <= fewest_steps(stage.training):
        aim = f"the fewest that are of use, which may take longer than the {minutes:g} min wanted"
    return f"{made} of {asked} steps, {aim} (training_minutes=0 makes all)"
