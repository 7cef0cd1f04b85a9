"""`kinesight compare`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import place, shown


def compare(
    results: Annotated[tyro.conf.Positional[tuple[Path, ...]], place("DIR DIR …")],
    common: bool = False,
    out: Annotated[Path | None, shown("FILE", "none")] = None,
) -> None:
    """Compare results on the same cases with the first one: difference, interval, McNemar's exact test.

    Args:
        results: two or more folders with results.json
        common: compare on the cases that all of them have
        out: JSON file for the table
    """
    import json

    from kinesight.cli.console import CONSOLE
    from kinesight.evaluation.compare import compare as compare_results
    from kinesight.evaluation.compare import to_json, to_table
    from kinesight.evaluation.results import read_results
    from kinesight.types.files import write_atomic

    comparison = compare_results([read_results(folder) for folder in results], common=common)
    CONSOLE.print(to_table(comparison))
    if out is not None:
        write_atomic(out, json.dumps(to_json(comparison), indent=1) + "\n")
