"""`kinesight doctor`"""

import sys


def doctor() -> None:
    """Check renderer, video codec, accelerator and extras; say how to mend what is missing."""
    from kinesight.cli.console import CONSOLE
    from kinesight.experiments.health import checks

    marks = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[yellow]–[/yellow]"}
    failed = False
    for check in checks():
        CONSOLE.print(f"{marks[check.ok]} [bold]{check.name}[/bold]: {check.finding}")
        if check.mend:
            CONSOLE.print(f"    {check.mend}", style="dim" if check.ok is None else "red")
        failed |= check.ok is False
    sys.exit(1 if failed else 0)
