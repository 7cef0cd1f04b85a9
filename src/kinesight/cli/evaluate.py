"""`kinesight evaluate`"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import LOCAL_CHAT, ChatKey, ChatModel, ChatUrl, Overrides, Workers, place, shown

RECIPES = "the recipe's"


def evaluate(
    run: Annotated[tyro.conf.Positional[Path], place("RUN")],
    tasks: Annotated[str, shown("A,B,…", RECIPES)] = "",
    seeds: Annotated[str, shown("0-24", RECIPES)] = "",
    cameras: Annotated[str, shown("A,B,…", RECIPES)] = "",
    start: Annotated[str, shown("standard|shifted", RECIPES)] = "",
    env: Annotated[str, shown("NAME", RECIPES)] = "",
    split: Annotated[str, shown("NAME", "the usual")] = "",
    rows: Annotated[str, shown("A,B,…", "the agent alone")] = "",
    limit: Annotated[int, shown("N", "the recipe's; of several tasks in a row the environment's")] = 0,
    workers: Workers = 0,
    device: Annotated[str, shown("auto|cpu|cuda|cuda:N")] = "cpu",
    out: Annotated[Path | None, shown("DIR", "RUN/eval/START, with env and split if given")] = None,
    planner: Annotated[str, shown("NAME", RECIPES)] = "",
    judge: Annotated[str, shown("chat|none", RECIPES)] = "",
    chat_model: ChatModel = "",
    chat_url: ChatUrl = LOCAL_CHAT,
    chat_key: ChatKey = "",
    overrides: Overrides = (),
) -> None:
    """Run a trained agent in closed loop and write results.json and report.html. Finished episodes are kept.

    Args:
        run: a trained run
        tasks: tasks or sets of tasks (see kinesight list); in another environment those that were learned
        seeds: layouts, also written 3 or 0-4,7
        cameras: views, one episode each
        start: whether a constant action moves the arm away before the agent takes over
        env: environment (see kinesight list), such as metaworld-chains for several tasks in a row
        split: what cases are drawn from (see kinesight list), such as a look that was not trained on
        rows: controls to measure on the same cases (see kinesight list), "all" for every one
        limit: steps of an episode
        workers: processes
        device: where every model of the agent computes; the workers share it
        out: folder of the results
        planner: who plans (see kinesight list)
        judge: who judges imagined videos
        chat_model: vision-language model that planner or judge ask
        chat_url: its OpenAI-compatible endpoint
        chat_key: environment variable that holds the endpoint's key
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import announce, path, say, show_results
    from kinesight.envs import catalogue as envs
    from kinesight.experiments.devices import known_device
    from kinesight.experiments.evaluation import (
        known_tasks,
        recipe_cases,
        report_rows,
        run_rows,
        step_limit,
        with_agent,
    )
    from kinesight.experiments.rows import table_rows
    from kinesight.experiments.runs import open_run
    from kinesight.experiments.training import processes
    from kinesight.language.chat import ChatConfig
    from kinesight.types.errors import UsageError

    chat = ChatConfig(chat_model, chat_url, chat_key) if chat_model else None
    assignments = arguments.assignments(overrides)
    computing = replace(open_run(run), device=known_device(device))
    opened = with_agent(computing, assignments, planner, judge, chat)
    if opened.recipe != computing.recipe and out is None:
        raise UsageError("results with other settings of the agent need a folder of their own: --out DIR")
    where = env or opened.recipe.measured_in
    if tasks:
        chosen_tasks = envs.task_set(where, tasks)
    else:
        chosen_tasks = () if where == opened.recipe.measured_in else known_tasks(opened, where)
    cases = recipe_cases(
        opened.recipe,
        chosen_tasks,
        arguments.seeds(seeds) if seeds else (),
        arguments.names(cameras) if cameras else (),
        start,
        where,
        split,
    )
    chosen = table_rows(arguments.names(rows) if rows else (), opened.recipe, where, {c.task for c in cases})
    apart = cases[0].split if cases[0].split != "train" else ""
    folder = out or run / "eval" / "-".join(word for word in (env, apart, cases[0].start) if word)
    steps = limit or step_limit(opened.recipe, where)
    command = arguments.command()
    found = run_rows(opened, chosen, cases, folder, workers or processes(), steps, command, announce)
    page = report_rows(opened, found, folder)
    show_results(found)
    say(path(page))
