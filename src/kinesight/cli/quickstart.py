"""`kinesight quickstart`"""

from pathlib import Path
from typing import Annotated

import tyro


def quickstart(
    out: Path = Path("runs/quickstart"),
    full: bool = False,
    recipe: str = "quickstart",
    overrides: Annotated[
        tuple[str, ...], tyro.conf.arg(name="set", metavar="FIELD=VALUE", help="replace values of the recipe")
    ] = (),
) -> None:
    """The main job at laptop size: collect, train, run in closed loop, report. Resumes where it was stopped.

    Args:
        out: folder of the run; report.html and results.json lie directly in it
        full: also measure expert, blind replay, no goal, shuffled and oracle goals on the same cases
        recipe: another recipe to do the same with
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import announce, say, show_results
    from kinesight.experiments import catalogue
    from kinesight.experiments.quickstart import quickstart as run_quickstart
    from kinesight.experiments.recipe import override

    chosen = override(catalogue.recipe(recipe), overrides)
    found = run_quickstart(chosen, out, full, arguments.command(), announce)
    show_results(found)
    say(f"[bold]{out / 'report.html'}[/bold] shows what was imagined and what happened")
