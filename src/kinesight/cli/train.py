"""`kinesight train`"""

from pathlib import Path
from typing import Annotated

import tyro


def train(
    recipe: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE")],
    data: str = "",
    out: Path | None = None,
    stage: str = "",
    overrides: Annotated[
        tuple[str, ...], tyro.conf.arg(name="set", metavar="FIELD=VALUE", help="replace values of the recipe")
    ] = (),
) -> None:
    """Train a recipe's stages; continues from the last checkpoint.

    Args:
        recipe: name of the recipe (see kinesight list)
        data: [NAME=]DIR of a collected data set; without it the recipe's own collection is made and reused
        out: folder of the run (default runs/RECIPE)
        stage: comma-separated stages; all by default
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import say
    from kinesight.experiments import catalogue
    from kinesight.experiments.recipe import override
    from kinesight.experiments.runs import create_run
    from kinesight.experiments.training import default_data, open_data, prepare_data, train_run

    chosen = override(catalogue.recipe(recipe), overrides)
    stages = arguments.names(stage) if stage else ()
    for name in stages:
        chosen.stage(name)
    folders = arguments.data_sets(data, ("demos",)) if data else {}
    run = create_run(out or Path("runs") / recipe, chosen)
    if folders:
        store = open_data(folders["demos"])
    else:
        with run.phase("collect"):
            store = prepare_data(chosen.data, default_data(chosen), arguments.command())
    train_run(run, store, stages)
    say(f"trained: [bold]{run.path}[/bold]; next: kinesight evaluate {run.path}")
