"""`kinesight compare`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import place, shown


def compare(
    results: Annotated[tyro.conf.Positional[tuple[Path, ...]], place("DIR DIR …")],
    tasks: Annotated[str, shown("A,B,…", "all that were measured")] = "",
    common: bool = False,
    out: Annotated[Path | None, shown("FILE", "none")] = None,
) -> None:
    """Compare results on the same cases with the first one: difference, interval, McNemar's exact test.

    Args:
        results: two or more folders with results.json
        tasks: tasks or sets of tasks such as easy (see kinesight list) to compare on
        common: compare on the cases that all of them have
        out: JSON file for the table
    """
    import json

    from kinesight.cli.console import show_comparison, tell_errors
    from kinesight.envs import catalogue as envs
    from kinesight.evaluation.compare import compare as compare_results
    from kinesight.evaluation.compare_record import to_json
    from kinesight.evaluation.results import read_results
    from kinesight.types.files import write_atomic

    found = [read_results(folder) for folder in results]
    chosen = envs.task_set(found[0].cases[0].env, tasks) if tasks and found else ()
    comparison = compare_results(found, common=common, tasks=chosen)
    show_comparison(comparison)
    tell_errors({row.name: one for row, one in zip(comparison.rows, found, strict=True)})
    if out is not None:
        write_atomic(out, json.dumps(to_json(comparison), indent=1) + "\n")
