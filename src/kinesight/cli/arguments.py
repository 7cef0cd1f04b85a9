"""How lists, ranges, data sets and overrides are written on the command line."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro

from kinesight.types.errors import UsageError


def shown(metavar: str, default: str = "") -> Any:
    """How help shows an option; `default` in words where the value itself says nothing."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})" if default else None)


def place(metavar: str) -> Any:
    """A positional argument; its name already says that it is required."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


Names: TypeAlias = Annotated[str, shown("A,B,…")]
Name: TypeAlias = Annotated[str, shown("NAME")]
Start: TypeAlias = Annotated[str, shown("standard|shifted")]
Workers: TypeAlias = Annotated[int, shown("N", "every core")]
ChatModel: TypeAlias = Annotated[str, shown("NAME", "none is asked")]
ChatUrl: TypeAlias = Annotated[str, shown("URL")]
ChatKey: TypeAlias = Annotated[str, shown("VARIABLE", "none")]
LOCAL_CHAT = "http://127.0.0.1:8000/v1"
Overrides: TypeAlias = Annotated[
    tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]],
    tyro.conf.arg(
        name="set", metavar="FIELD=VALUE", help="replace a value of the recipe", help_behavior_hint=""
    ),
]


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


def stage_runs(text: str) -> dict[str, Path]:
    """`STAGE=RUN,…` -> folder of the run, or of its stage, that each stage is taken from."""
    found = {}
    for part in names(text):
        stage, equals, folder = part.partition("=")
        if not (stage and equals and folder):
            raise UsageError(f"--init is written STAGE=RUN, got {part!r}")
        found[stage] = Path(folder)
    return found


def assignments(overrides: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """`--set a=1 b=2 --set c=3` -> all three."""
    return tuple(part for group in overrides for part in group)


def command() -> str:
    """The command as it was typed, for the results file."""
    return shlex.join(["kinesight", *sys.argv[1:]])
