"""`kinesight report`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import place


def report(folder: Annotated[tyro.conf.Positional[Path], place("DIR")]) -> None:
    """Make an evaluation's report.html again from what lies in its folder.

    Args:
        folder: a folder with results.json
    """
    from kinesight.cli.console import path, say
    from kinesight.evaluation.report import rebuild_report

    say(path(rebuild_report(folder)))
