"""`kinesight evaluate`"""

from pathlib import Path
from typing import Annotated

import tyro


def evaluate(
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")],
    tasks: str = "",
    seeds: str = "",
    cameras: str = "",
    start: str = "",
    rows: str = "agent",
    limit: int = 0,
    workers: int = 0,
    out: Path | None = None,
) -> None:
    """Run a trained agent in closed loop and write results.json and report.html. Finished episodes are kept.

    Args:
        run: a trained run
        tasks: comma-separated tasks or sets; the recipe's by default
        seeds: e.g. 0-24; the recipe's by default
        cameras: comma-separated; the recipe's by default
        start: standard or shifted; the recipe's by default
        rows: comma-separated rows of the table (see kinesight list), "all" for every one
        limit: steps of an episode; the recipe's by default
        workers: processes; 0 uses every core
        out: folder (default RUN/eval/START)
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import announce, say, show_results
    from kinesight.envs import catalogue as envs
    from kinesight.evaluation.rollout import cases
    from kinesight.experiments.evaluation import ROWS, run_rows
    from kinesight.experiments.quickstart import report_rows
    from kinesight.experiments.runs import open_run
    from kinesight.experiments.training import processes

    opened = open_run(run)
    recipe, plan = opened.recipe, opened.recipe.evaluation
    chosen = cases(
        recipe.data.env,
        envs.task_set(recipe.data.env, tasks) if tasks else plan.tasks,
        arguments.seeds(seeds) if seeds else range(plan.seeds),
        arguments.names(cameras) if cameras else plan.cameras,
        start or plan.start,
    )
    folder = out or run / "eval" / (start or plan.start)
    wanted = tuple(ROWS) if rows == "all" else arguments.names(rows)
    found = run_rows(
        opened,
        wanted,
        chosen,
        folder,
        workers or processes(),
        limit or plan.limit,
        arguments.command(),
        announce,
    )
    page = report_rows(opened, found, folder)
    show_results(found)
    say(f"[bold]{page}[/bold]")
