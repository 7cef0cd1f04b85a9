"""The user's turns in other words, by a chat model; the robot's answers stay as they are.

A rewording is taken only if every thing and action that the template named is still in it, on one line and
not much longer. Otherwise the model is told once what was wrong; then the template stays. ST4VLA has
GPT-4o-mini reword its instructions (appendix G.1); any endpoint of `language/chat.py` does.
"""

import re
from dataclasses import dataclass, replace

from kinesight.collection.conversations import Conversation
from kinesight.language.chat import ChatClient
from kinesight.language.chat_errors import ChatError
from kinesight.language.consult import consult
from kinesight.language.dialects.answers import AnswerError
from kinesight.language.messages import Message
from kinesight.language.task_talk import TEMPLATES
from kinesight.language.words import split_words

LONGEST = 3
"""Times the length of the template."""
RULES = """\
You reword what a person says to a robot that works at a table.
Keep the meaning, and keep every word of what is named: colours, objects, places, actions, their order.
Answer with the new sentence only, on one line, without quotation marks."""
NAMED = re.compile(
    r"\bthe ([^,.;:?]+?)(?= (?:into|onto|on|in|that|left|right|behind|and|where|aside|was)\b|[,.;:?]|$)"
)
"""What follows "the": words that a rewording must keep."""


OWN_WORDS = {word for each in TEMPLATES.values() for text in each for word in split_words(text)}
"""Of the templates, which need not be kept."""


@dataclass(frozen=True, slots=True)
class Rephrased:
    """A conversation with the turns that were reworded."""

    conversation: Conversation
    reworded: int
    kept: int
    """Turns left as they were, because of an error or an answer that lost something."""


def rephrased(conversation: Conversation, client: ChatClient, corrections: int = 1) -> Rephrased:
    """Reword the first question and the command; what fails stays as it was."""
    exchanges = list(conversation.exchanges)
    reworded = kept = 0
    places = {0, len(exchanges) - 1} if conversation.order else {0}
    for place in sorted(places):
        question, answer = exchanges[place]
        try:
            said = consult(client, asked(question), lambda text, q=question: checked(text, q), corrections)
            exchanges[place] = (said.result, answer)
            reworded += 1
        except ChatError:
            kept += 1
    order = conversation.order
    if order is not None:
        order = replace(order, said=exchanges[-1][0])
    return Rephrased(replace(conversation, order=order, exchanges=tuple(exchanges)), reworded, kept)


def asked(question: str) -> tuple[Message, Message]:
    return Message("system", RULES), Message("user", question)


def checked(text: str, question: str) -> str:
    """The rewording, or an `AnswerError` that says what it lost."""
    said = text.strip()
    if not said or "\n" in said or len(said) > LONGEST * len(question) + 40:
        raise AnswerError("rewording", f"one line of at most {LONGEST * len(question) + 40} characters", text)
    present = set(split_words(said))
    names = NAMED.findall(question.lower())
    lost = [name for name in names if not set(split_words(name)) - OWN_WORDS <= present]
    if lost:
        raise AnswerError("rewording", f"a sentence that still names {', '.join(dict.fromkeys(lost))}", text)
    return said
