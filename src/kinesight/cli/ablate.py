"""`kinesight ablate`"""

from pathlib import Path
from typing import Annotated

import tyro

from kinesight.cli.arguments import Workers, place, shown


def ablate(
    system: Annotated[tyro.conf.Positional[str], place("SYSTEM")],
    budget: Annotated[str, shown("small|paper")] = "small",
    tables: Annotated[str, shown("A,B,…", "every table")] = "",
    training_seeds: Annotated[str, shown("0-2")] = "0",
    dry_run: bool = False,
    workers: Workers = 0,
    out: Annotated[Path | None, shown("DIR", "runs/ablate-SYSTEM-BUDGET")] = None,
) -> None:
    """Train and measure the cells of a method's tables. Finished cells are kept, the page follows every cell.

    The same command given several times at once shares the work. A cell that fails leaves the others alone
    and makes the exit status 1.

    Args:
        system: method whose tables are made (see kinesight list)
        budget: small fits a laptop, paper is the method's large recipe, for a GPU
        tables: tables to run; the page shows the others as far as they are done
        training_seeds: train every cell with each of these seeds and pool them
        dry_run: list the tables and their cells, run nothing
        workers: processes of the evaluation
        out: folder of cells, tables and page
    """
    from kinesight.cli import arguments
    from kinesight.cli.console import CONSOLE, announce, path, say, tell_errors
    from kinesight.evaluation.tables import to_tables
    from kinesight.experiments.ablations import CellsFailed, chosen_tables, failed_cells, run_ablations
    from kinesight.experiments.catalogue import ablations

    known = ablations(system, budget)
    chosen = arguments.names(tables) if tables else ()
    wanted = chosen_tables(known, chosen)
    if dry_run:
        for table in wanted:
            say(f"[bold]{table.name}[/bold]  {table.title}")
            for cell in table.cells:
                say(f"    {cell.name}")
        return
    folder = out or Path("runs") / f"ablate-{system}-{budget}"
    seeds = arguments.seeds(training_seeds)
    found = run_ablations(known, folder, chosen, arguments.command(), workers, announce, seeds)
    shown = [found[name] for name in chosen or found]
    for table in to_tables(shown):
        CONSOLE.print(table)
    for table in shown:
        tell_errors(table.measured)
    say(path(folder / "report.html"))
    if failed := failed_cells(known, folder, chosen, seeds):
        raise CellsFailed(
            f"failed: {'; '.join(failed)}. {folder / 'cells'}/…/error.txt has the traceback; the same "
            "command tries again"
        )
