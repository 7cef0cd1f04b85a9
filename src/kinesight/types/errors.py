"""Errors that are shown to users without a traceback.

Each says what came, what was expected and what exists.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class KinesightError(Exception):
    """Something the user can mend; the command line prints it and exits with `status`."""

    status = 1


class UsageError(KinesightError):
    """A wrong value on the command line or in a recipe (exit status 2)."""

    status = 2


class UnknownName(UsageError):
    """A name that is in no table: the message holds the nearest one and the list."""

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        names = sorted(available)
        nearest = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(f"Unknown {kind} {name!r}.{hint} Available: {', '.join(names) or 'none'}.")


class DataError(KinesightError):
    """A file that is damaged, foreign or of another schema; the message names the file."""


class NotRecorded(DataError):
    """A model learns from a key that the data do not have; who knows the data says the rest."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the data have no {key!r}")
        self.key = key


class InUse(KinesightError):
    """A folder that another process is writing to; the message names it."""


class MissingDependency(KinesightError):
    """A system library or an optional package is absent; the message says what to install."""


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """`table[name]`, or `UnknownName` with the nearest name and the list."""
    if name not in table:
        raise UnknownName(kind, name, table)
    return table[name]
