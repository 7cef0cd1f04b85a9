"""`kinesight judge`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import Overrides, place, shown


def judge(
    run: Annotated[tyro.conf.Positional[Path], place("RUN")],
    out: Annotated[Path | None, shown("DIR", "RUN-judged")] = None,
    overrides: Overrides = (),
) -> None:
    """Give a trained run a judge of imagined videos, in a new run that shares its weights.

    Args:
        run: a trained run
        out: folder of the judged run
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import path, say
    from kinesight.experiments.judged import add_judge
    from kinesight.experiments.runs import open_run

    folder = out or run.with_name(f"{run.name}-judged")
    made = add_judge(open_run(run), folder, arguments.assignments(overrides))
    say(f"{path(made.path)} has a judge; next: kinesight evaluate {made.path}")
