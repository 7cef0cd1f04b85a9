"""What users ask and order in the middle of a task, and how the robot answers: templates.

Answers that are read by a program have one form each and a strict reader; the others have a fixed
beginning, so that what they say can be checked too. All sentences are ours.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from kinesight.language.dialects.answers import AnswerError
from kinesight.language.task_lists import check_action, read_actions, write_actions
from kinesight.types.errors import UsageError

T = TypeVar("T")

STATUS = (
    "The task is: {task}. What has been done, what is left to do, and what else could be done here?",
    "You were told: {task}. List what is done, what is to do and what else is possible.",
    "Task: {task}. Sort the actions into done, to do and possible.",
)
PROGRESS = (
    "How many steps are completed, and is the task finished?",
    "Count the completed steps and say whether the task is finished.",
    "How far has the task come?",
)
NEXT = (
    "Which action comes next?",
    "What do you do now?",
    "Name the next action.",
)
NEW_LIST = (
    "Change of plan. Now {list}.",
    "I changed my mind: {list}, and nothing else.",
    "Forget the rest of the old list. From now on: {list}.",
)
STOP = (
    "That is enough, leave the rest.",
    "Stop here, I need no more of it.",
    "Drop everything that is left.",
)
VAGUE = (
    "Go on.",
    "Keep going.",
    "Do what comes next.",
    "Carry on with it.",
    "And now?",
)
VAGUE_THING = (
    "Take care of the {kind}.",
    "Do something about the {kind}.",
    "Now the {kind}, please.",
)
WRONG = (
    "{action}.",
    "Please {action}.",
    "Now {action}.",
    "Next, {action}.",
)
TEMPLATES = {
    "status": STATUS, "progress": PROGRESS, "next": NEXT, "new list": NEW_LIST, "stop": STOP, "vague": VAGUE,
    "vague thing": VAGUE_THING, "wrong": WRONG,
}  # fmt: skip
"""What is asked -> sentences for it."""

IDLE = "Nothing is left to do."
_NEXT, _AGREED, _WHICH = "Next: ", "Understood. To do: ", "Which one do you mean: "
_ABSENT, _DONE = "I cannot do that: there is no {thing} here. ", "That is done already. "


def pick(options: Sequence[T], generator: np.random.Generator) -> T:
    return options[int(generator.integers(len(options)))]


def in_order(actions: Sequence[str]) -> str:
    """ "first a, then b, then c", or the only one."""
    if not actions:
        raise UsageError("a list of actions to be ordered needs one at least")
    return actions[0] if len(actions) == 1 else f"first {', then '.join(actions)}"


def write_next(to_do: Sequence[str]) -> str:
    """The first of the list, or that nothing is left."""
    return f"{_NEXT}{to_do[0]}." if to_do else IDLE


def read_next(text: str) -> str | None:
    """The action that a reply names, None where nothing is left."""
    if text == IDLE:
        return None
    action = text.removeprefix(_NEXT).removesuffix(".")
    try:
        check_action(action)
    except UsageError:
        action = ""
    if not action or not (text.startswith(_NEXT) and text.endswith(".")):
        raise AnswerError("next action", f"'{_NEXT}….' or {IDLE!r}", text)
    return action


def write_agreed(to_do: Sequence[str]) -> str:
    """The list that holds from now on."""
    return _AGREED + write_actions(to_do)


def read_agreed(text: str) -> tuple[str, ...]:
    if not text.startswith(_AGREED):
        raise AnswerError("agreed list", f"'{_AGREED}…'", text)
    return read_actions(text.removeprefix(_AGREED))


def write_which(things: Sequence[str]) -> str:
    """The question back, where a command fits several things."""
    if len(things) < 2:
        raise UsageError(f"only one of several can be asked for, got {list(things)}")
    return f"{_WHICH}{', '.join(things[:-1])} or {things[-1]}?"


def write_absent(thing: str, to_do: Sequence[str]) -> str:
    """What is wrong with the command, and what comes next all the same."""
    return _ABSENT.format(thing=thing) + write_next(to_do)


def write_already(to_do: Sequence[str]) -> str:
    return _DONE + write_next(to_do)
