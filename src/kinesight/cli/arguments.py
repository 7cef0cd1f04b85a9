"""How lists, ranges and data sets are written on the command line."""

import shlex
import sys
from pathlib import Path

from kinesight.types.errors import UsageError


def names(text: str) -> tuple[str, ...]:
    """`a,b,c` -> the names, each once."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise UsageError(f"expected a comma-separated list, got {text!r}")
    return found


def seeds(text: str) -> tuple[int, ...]:
    """`0-24`, `3` or `0-4,7` -> the seeds in order, each once."""
    found: dict[int, None] = {}
    for part in names(text):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UsageError(f"seeds are written 0-24, 3 or 0-4,7, got {part!r}")
        if dash and int(last) < int(first):
            raise UsageError(f"a range of seeds rises, got {part!r}")
        found |= dict.fromkeys(range(int(first), int(last or first) + 1))
    return tuple(found)


def data_sets(text: str, sources: tuple[str, ...]) -> dict[str, Path]:
    """`DIR` or `NAME=DIR,…` -> folder of each data set that the recipe's models read."""
    found = {}
    for part in names(text):
        name, equals, folder = part.partition("=")
        if not equals:
            if len(sources) != 1:
                raise UsageError(f"the recipe reads {', '.join(sources)}; write NAME=DIR for each")
            name, folder = sources[0], part
        if name not in sources:
            raise UsageError(f"the recipe reads {', '.join(sources)}, not {name!r}")
        found[name] = Path(folder)
    return found


def command() -> str:
    """The command as it was typed, for the results file."""
    return shlex.join(["kinesight", *sys.argv[1:]])
