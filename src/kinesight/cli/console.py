"""What commands print: short lines for people, tables for results."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
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
    """The agent by task; with other rows their paired comparison too."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from kinesight.evaluation.chains import chain_table
    from kinesight.evaluation.compare import compare, to_table
    from kinesight.evaluation.statistics import proportion

    main = next(iter(found.values()))
    start, comma, rest = main.protocol.partition(",")
    table = Table(title=f"{main.agent}, {start} start{comma}{rest}", title_justify="left", box=SIMPLE_HEAD)
    for column in ("task", "solved", "95 % interval", "steps to success"):
        table.add_column(column, justify="left" if column == "task" else "right")
    for name in (*main.tasks, ""):
        episodes = main.of_task(name) if name else main.episodes
        share = proportion(episode.success for episode in episodes)
        steps = [episode.steps for episode in episodes if episode.success]
        table.add_row(
            name or "all",
            f"{share.successes}/{share.episodes}",
            f"{100 * share.wilson_95.low:.0f} to {100 * share.wilson_95.high:.0f} %",
            f"{sum(steps) / len(steps):.0f}" if steps else "–",
        )
    CONSOLE.print(table)
    if main.chains is not None:
        CONSOLE.print(chain_table({name: results.chains for name, results in found.items()}))
    if len(found) > 1:
        CONSOLE.print(to_table(compare(list(found.values()), list(found))))
