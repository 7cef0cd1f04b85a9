"""Talks of several turns about one picture, as records of training data: LLaVA and ms-swift.

    {"id": "…", "image": "a.png",
     "conversations": [{"from": "human", "value": "<image>\\n…"}, {"from": "gpt", "value": "…"}, …]}
    {"messages": [{"role": "user", "content": "<image>…"}, {"role": "assistant", …}, …], "images": ["a.png"]}

User and assistant take turns, the user begins and the assistant has the last word; only the first turn shows
the picture. A talk of two turns is what `records.read_conversation` and `read_messages` read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kinesight.language.dialects.answers import AnswerError
from kinesight.language.dialects.records import IMAGE
from kinesight.language.dialects.sketch import Malformed, check_keys, check_list, check_text, parse_numerals
from kinesight.types.errors import UsageError

Role = Literal["user", "assistant"]
ROLES: tuple[Role, Role] = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    text: str

    def __post_init__(self) -> None:
        if not self.text.strip() or IMAGE in self.text:
            raise UsageError(f"a turn holds words and no {IMAGE}, got {self.text!r:.80}")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What was said about one picture."""

    name: str
    image: str
    """The picture's path as the record shall name it."""
    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        roles = [turn.role for turn in self.turns]
        if not roles or roles != [*ROLES] * (len(roles) // 2):
            raise UsageError(f"user and assistant take turns, the user first, got {roles}")

    @property
    def exchanges(self) -> tuple[tuple[str, str], ...]:
        """Questions with their answers."""
        texts = [turn.text for turn in self.turns]
        return tuple(zip(texts[::2], texts[1::2], strict=True))


def dialogue(name: str, image: str, exchanges: Sequence[tuple[str, str]]) -> Dialogue:
    """From questions and their answers."""
    turns = [Turn(role, text) for pair in exchanges for role, text in zip(ROLES, pair, strict=True)]
    return Dialogue(name, image, tuple(turns))


def write_llava(talk: Dialogue) -> str:
    """One line of JSON."""
    turns = [
        {"from": "human" if turn.role == "user" else "gpt", "value": text}
        for turn, text in zip(talk.turns, _with_image(talk, "\n"), strict=True)
    ]
    return json.dumps({"id": talk.name, "image": talk.image, "conversations": turns}, ensure_ascii=False)


def write_swift(talk: Dialogue) -> str:
    """One line of JSON. ms-swift has no place for the talk's name."""
    messages = [
        {"role": turn.role, "content": text}
        for turn, text in zip(talk.turns, _with_image(talk, ""), strict=True)
    ]
    return json.dumps({"messages": messages, "images": [talk.image]}, ensure_ascii=False)


def read_llava(text: str) -> Dialogue:
    """The talk of a LLaVA record, or an `AnswerError` that says what was expected."""
    try:
        record = check_keys(parse_numerals(text), ("conversations", "image"), ("id",), "the record")
        turns = check_list(record["conversations"], "turns")
        said = [check_keys(turn, ("from", "value"), (), "each turn") for turn in turns]
        roles: list[Role] = [_role(turn["from"], {"human": "user", "gpt": "assistant"}) for turn in said]
        texts = [check_text(turn["value"], "value") for turn in said]
        name = check_text(record.get("id", ""), "id")
        return _talk(name, check_text(record["image"], "image"), roles, texts, "\n")
    except Malformed as problem:
        raise AnswerError("LLaVA conversation", problem.expected, problem.got) from None


def read_swift(text: str) -> Dialogue:
    """The talk of an ms-swift record, without a name."""
    try:
        record = check_keys(parse_numerals(text), ("messages", "images"), (), "the record")
        turns = check_list(record["messages"], "messages")
        said = [check_keys(turn, ("role", "content"), (), "each message") for turn in turns]
        roles: list[Role] = [_role(turn["role"], {"user": "user", "assistant": "assistant"}) for turn in said]
        texts = [check_text(turn["content"], "content") for turn in said]
        images = check_list(record["images"], "pictures")
        if len(images) != 1:
            raise Malformed("images as a list of one picture", images)
        return _talk("", check_text(images[0], "each of images"), roles, texts, "")
    except Malformed as problem:
        raise AnswerError("ms-swift messages", problem.expected, problem.got) from None


def _with_image(talk: Dialogue, joint: str) -> list[str]:
    first, *others = (turn.text for turn in talk.turns)
    return [f"{IMAGE}{joint}{first}", *others]


def _role(name: Any, roles: dict[str, Role]) -> Role:
    if name not in roles:
        raise Malformed(f"turns of {' and '.join(roles)}", name)
    return roles[name]


def _talk(name: str, image: str, roles: list[Role], texts: list[str], joint: str) -> Dialogue:
    if not texts[0].startswith(f"{IMAGE}{joint}"):
        raise Malformed(f"a first turn that begins with {IMAGE}", texts[0])
    texts = [texts[0].removeprefix(f"{IMAGE}{joint}"), *texts[1:]]
    try:
        return Dialogue(name, image, tuple(Turn(r, t) for r, t in zip(roles, texts, strict=True)))
    except UsageError as problem:
        raise Malformed("user and assistant in turn, with words and one picture", problem) from None
