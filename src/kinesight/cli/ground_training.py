"""`kinesight train` for a recipe that learns from ground records."""

from pathlib import Path

from kinesight.cli import arguments
from kinesight.types.errors import UsageError


def train_on_ground(recipe: str, data: str, out: Path | None, more: bool) -> None:
    """`more`: whether an option was given that such a recipe does not know."""
    from kinesight.cli.console import path, say
    from kinesight.experiments import pointing

    if not data or more:
        raise UsageError(f"{recipe} learns from ground sets: --data DIR,…, without --stage, --init and --set")
    folders = [Path(name) for name in arguments.names(data)]
    checkpoint = pointing.train_pointing(pointing.RECIPES[recipe], folders, out or Path("runs") / recipe)
    say(f"trained: {path(checkpoint)}; next: python bench/pointing.py measure")
