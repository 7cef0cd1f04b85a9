"""`kinesight quickstart`"""

from pathlib import Path
from typing import Annotated

from kinesight.cli.arguments import Name, Overrides, shown


def quickstart(
    out: Annotated[Path, shown("RUN")] = Path("runs/quickstart"),
    full: bool = False,
    recipe: Name = "quickstart",
    overrides: Overrides = (),
) -> None:
    """The main job at laptop size: collect, train, run in closed loop, report. Resumes where it was stopped.

    Args:
        out: folder of the run; report.html and results.json lie directly in it
        full: also measure expert, blind replay, no goal, shuffled and oracle goals on the same cases
        recipe: another recipe to do the same with
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import announce, path, say, show_results
    from kinesight.experiments import catalogue
    from kinesight.experiments.quickstart import quickstart as run_quickstart
    from kinesight.experiments.recipe import override

    chosen = override(catalogue.recipe(recipe), arguments.assignments(overrides))
    found = run_quickstart(chosen, out, full, arguments.command(), announce)
    show_results(found)
    say(f"{path(out / 'report.html')} shows what was imagined and what happened")
