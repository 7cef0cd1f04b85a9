"""Ask, read strictly, and say once what was wrong with the form: how planner and judge use a chat client."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from kinesight.language.chat import ChatClient
from kinesight.language.chat_errors import ChatError, UnreadableReply
from kinesight.language.messages import Message
from kinesight.language.prompts import correction
from kinesight.types.errors import KinesightError
from kinesight.types.note import Note

T = TypeVar("T")
CHAT, FALLBACK = "chat", "fallback"
"""Kinds of note: a question that was answered, and one that something else had to answer for."""


@dataclass(frozen=True, slots=True)
class Consulted(Generic[T]):
    """What was read from the last answer, and what all answers took together."""

    result: T
    values: Mapping[str, float]
    """See `Reply.values`; "asked" counts the questions, "cached" those answered from the cache."""


def consult(
    client: ChatClient, messages: Sequence[Message], read: Callable[[str], T], corrections: int
) -> Consulted[T]:
    """What `read` makes of the answer.

    An answer that `read` refuses with a `KinesightError` is sent back with the reason, `corrections` times at
    most; then it is an `UnreadableReply`. A `ChatError` of the client or of `read` ends it at once. Errors
    carry the values of everything that was asked.
    """
    asked = list(messages)
    totals: dict[str, float] = {}
    for left in range(corrections, -1, -1):
        try:
            reply = client.ask(asked)
            totals = _sum(totals, {"asked": 1.0, **reply.values})
        except ChatError as error:
            error.values = _sum(totals, {"asked": 1.0, **error.values})
            raise
        try:
            return Consulted(read(reply.text), totals)
        except ChatError as error:
            error.values = totals
            raise
        except KinesightError as error:
            if not left:
                unreadable = UnreadableReply(str(error))
                unreadable.values = totals
                raise unreadable from error
            asked += [Message("assistant", reply.text), Message("user", correction(str(error)))]
    raise AssertionError("the loop returns or raises")


def chat_note(model: str, what: str, values: Mapping[str, float]) -> Note:
    """The note of an answered question, e.g. "plan by NAME, 1 question, 812 + 40 tokens"."""
    asked, cached = int(values["asked"]), int(values["cached"])
    parts = [f"{what} by {model}", f"{asked} question{'s' if asked > 1 else ''}"]
    if cached:
        parts.append(f"{cached} from the cache")
    if "tokens_in" in values and "tokens_out" in values:
        parts.append(f"{values['tokens_in']:.0f} + {values['tokens_out']:.0f} tokens")
    return Note(CHAT, ", ".join(parts), values)


def fallback_note(instead: str, error: KinesightError) -> Note:
    """The note of a question without a usable answer: what stands in, the error's name and message."""
    values = error.values if isinstance(error, ChatError) else {}
    return Note(FALLBACK, f"{instead}: {type(error).__name__}: {error}", values)


@runtime_checkable
class Accounted(Protocol):
    """A note, or the event that it became."""

    @property
    def kind(self) -> str: ...
    @property
    def values(self) -> Mapping[str, float]: ...


def chat_totals(events: Iterable[Accounted]) -> dict[str, float]:
    """Sums over an episode's events: chat_requests, chat_tokens_in, chat_cost, …; empty if nothing was asked.

    Tokens and answered_s are those of all answers, cached or not, so that an episode that is run again from
    the cache says the same; requests and cost are only what was sent and paid now.
    """
    totals: dict[str, float] = {}
    for event in events:
        if event.kind in (CHAT, FALLBACK):
            totals = _sum(totals, {f"chat_{name}": value for name, value in event.values.items()})
    return totals


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in dict.fromkeys([*one, *other])}
