"""What has been done, what is to be done, and what else could be: three lists as text.

    Done: open the drawer.
    To do: put the red cube into the drawer; close the drawer.
    Possible: put the blue ball into the drawer.

ST4VLA sorts the actions of a scene so for its long tasks (appendix G.1) and shows no text; this form is ours.
An empty list is "nothing". `read_task_lists` takes this form and no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kinesight.language.dialects.answers import AnswerError
from kinesight.language.dialects.codec import LONGEST_REPLY
from kinesight.types.errors import UsageError

NOTHING = "nothing"
SEPARATOR = "; "
HEADS = ("Done: ", "To do: ", "Possible: ")
_FORM = "three lines, Done: …. / To do: …. / Possible: …., actions divided by '; '"


@dataclass(frozen=True, slots=True)
class TaskLists:
    """Actions as sentences in lower case, without a full stop."""

    done: tuple[str, ...]
    to_do: tuple[str, ...]
    possible: tuple[str, ...] = ()
    """Could be done here, and nobody asked for it."""

    def __post_init__(self) -> None:
        for action in (*self.done, *self.to_do, *self.possible):
            check_action(action)
        if set(self.possible) & {*self.done, *self.to_do}:
            raise UsageError(f"what was asked for is not only possible, got {self}")

    @property
    def finished(self) -> bool:
        return not self.to_do


def check_action(action: str) -> None:
    """Raises `UsageError` for what cannot stand in a list."""
    plain = action.isprintable() and action == action.strip() and action != NOTHING
    if not plain or not action or SEPARATOR.strip() in action or action.endswith("."):
        raise UsageError(f"an action is a sentence without ';' and full stop, got {action!r}")


def write_actions(actions: Sequence[str]) -> str:
    """One list with its full stop."""
    return f"{SEPARATOR.join(actions) or NOTHING}."


def read_actions(text: str) -> tuple[str, ...]:
    expected = "actions divided by '; ' with a full stop at the end, or 'nothing.'"
    if not text.endswith(".") or len(text) > LONGEST_REPLY:
        raise AnswerError("actions", expected, text)
    inner = text.removesuffix(".")
    if inner == NOTHING:
        return ()
    actions = tuple(inner.split(SEPARATOR))
    try:
        for action in actions:
            check_action(action)
    except UsageError:
        raise AnswerError("actions", expected, text) from None
    return actions


def write_task_lists(lists: TaskLists) -> str:
    members = (lists.done, lists.to_do, lists.possible)
    return "\n".join(head + write_actions(each) for head, each in zip(HEADS, members, strict=True))


def read_task_lists(text: str) -> TaskLists:
    """The lists of a reply, or an `AnswerError` that says what was expected."""
    lines = text.strip().split("\n")
    heads = [line.startswith(head) for line, head in zip(lines, HEADS, strict=False)]
    if len(lines) != len(HEADS) or not all(heads):
        raise AnswerError("task lists", _FORM, text)
    done, to_do, possible = (
        read_actions(line.removeprefix(head)) for line, head in zip(lines, HEADS, strict=True)
    )
    try:
        return TaskLists(done, to_do, possible)
    except UsageError as problem:
        raise AnswerError("task lists", _FORM, str(problem)) from None
