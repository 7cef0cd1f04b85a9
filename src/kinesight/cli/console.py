"""What commands print: short lines for people, tables for results."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from kinesight.evaluation.compare import Comparison
    from kinesight.evaluation.results import Results

CONSOLE = Console(highlight=False)


def say(text: str) -> None:
    """One line, however long: a path that is broken in two cannot be copied."""
    CONSOLE.print(text, soft_wrap=True)


def announce(text: str) -> None:
    """A phase begins."""
    say(f"[cyan]▸[/cyan] {escape(text)}")


def path(file: Path) -> str:
    """A file's name as markup for `say`."""
    return f"[bold]{escape(str(file))}[/bold]"


def show_results(found: "Mapping[str, Results]") -> None:
    """The agent by task and difficulty group; with other rows their paired comparison too."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from kinesight.evaluation.chain_comparison import chain_differences, chain_table
    from kinesight.evaluation.compare import tabulate
    from kinesight.evaluation.statistics import groups_of

    main = next(iter(found.values()))
    start, comma, rest = main.protocol.partition(",")
    table = Table(title=f"{main.agent}, {start} start{comma}{rest}", title_justify="left", box=SIMPLE_HEAD)
    for column in ("task", "solved", "95 % interval", "steps to success"):
        table.add_column(column, justify="left" if column == "task" else "right")
    parts = {task: (task,) for task in main.tasks} | groups_of(main.tasks) | {"all": main.tasks}
    for name, tasks in parts.items():
        share = main.of_tasks(tasks)
        steps = [episode.steps for task in tasks for episode in main.of_task(task) if episode.success]
        table.add_row(
            name,
            f"{share.successes}/{share.episodes}",
            f"{100 * share.wilson_95.low:.0f} to {100 * share.wilson_95.high:.0f} %",
            f"{sum(steps) / len(steps):.0f}" if steps else "–",
            end_section=name == main.tasks[-1] and len(parts) > len(main.tasks) + 1,
        )
    CONSOLE.print(table)
    if main.chains is not None:
        chains = {name: results.chains for name, results in found.items()}
        CONSOLE.print(chain_table(chains, chain_differences(found)))
    if len(found) > 1:
        show_comparison(tabulate(found))
    tell_errors(found)


def show_comparison(comparison: "Comparison") -> None:
    """Rows over all cases, and by difficulty group where there are several."""
    from kinesight.evaluation.compare import to_group_table, to_table

    CONSOLE.print(to_table(comparison))
    if comparison.groups:
        CONSOLE.print(to_group_table(comparison))


def tell_errors(found: "Mapping[str, Results]") -> None:
    """A line for every row of which episodes ended by an error."""
    from kinesight.evaluation.errors import account

    for name, results in found.items():
        if text := account(results.episodes):
            say(f"[red]✗[/red] {escape(name)}: {escape(text)}")
