"""`kinesight train`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import Overrides, place, shown


def train(
    recipe: Annotated[tyro.conf.Positional[str], place("RECIPE")],
    data: Annotated[str, shown("[NAME=]DIR", "the recipe's own collection, made in data/ and reused")] = "",
    out: Annotated[Path | None, shown("RUN", "runs/RECIPE")] = None,
    stage: Annotated[str, shown("A,B,…", "every one")] = "",
    init: Annotated[str, shown("STAGE=RUN,…", "every stage is trained here")] = "",
    overrides: Overrides = (),
) -> None:
    """Train a recipe's stages; continues from the last checkpoint.

    Args:
        recipe: name of the recipe (see kinesight list)
        data: a collected data set; ground sets, comma-separated, for a recipe that learns from their records
        out: folder of the run
        stage: stages to train
        init: stages to take from other runs, for later ones to begin from or to share
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import path, say
    from kinesight.cli.ground_training import train_on_ground
    from kinesight.experiments import catalogue, pointing
    from kinesight.experiments.recipe import override
    from kinesight.experiments.runs import Run, check_taken, create_run
    from kinesight.experiments.training import check_settings, run_data, train_run, untrained

    if recipe in pointing.RECIPES:
        train_on_ground(recipe, data, out, bool(stage or init or overrides))
        return
    chosen = override(catalogue.recipe(recipe), arguments.assignments(overrides))
    stages = arguments.names(stage) if stage else ()
    for name in stages:
        chosen.stage(name)
    taken = arguments.stage_runs(init) if init else {}
    folder = out or Path("runs") / recipe
    held = Run(folder, chosen).record().taken
    for name, source in taken.items():
        chosen.stage(name)
        if name not in held:
            check_taken(chosen, name, source)
    folders = arguments.data_sets(data, ("demos",)) if data else {}
    run = create_run(folder, chosen)
    for name, source in taken.items():
        run.take(name, source)
    check_settings(run, stages)  # before minutes of collecting
    with run.phase("collect"):
        store = run_data(run, folders.get("demos"), arguments.command())
    train_run(run, store, stages)
    missing = untrained(run)
    then = f"not trained yet: {', '.join(missing)}" if missing else f"next: kinesight evaluate {run.path}"
    say(f"trained: {path(run.path)}; {then}")
