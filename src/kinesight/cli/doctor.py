"""`kinesight doctor`"""

import sys


def doctor() -> None:
    """Check renderer, video codec, accelerator and extras; say how to mend what is missing."""
    from rich.markup import escape

    from kinesight.cli.console import say
    from kinesight.experiments.health import checks

    marks = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[yellow]–[/yellow]"}
    failed = False
    for check in checks():
        say(f"{marks[check.ok]} [bold]{check.name}[/bold]: {escape(check.finding)}")
        if check.mend:
            style = "dim" if check.ok is None else "red"
            say(f"    [{style}]{escape(check.mend)}[/{style}]")
        failed |= check.ok is False
    sys.exit(1 if failed else 0)
