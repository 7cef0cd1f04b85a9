"""`kinesight report`"""

from pathlib import Path
from typing import Annotated

import tyro


def report(folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]) -> None:
    """Make an evaluation's report.html again from what lies in its folder.

    Args:
        folder: a folder with results.json
    """
    from kinesight.cli.console import say
    from kinesight.evaluation.report import rebuild_report

    say(f"[bold]{rebuild_report(folder)}[/bold]")
