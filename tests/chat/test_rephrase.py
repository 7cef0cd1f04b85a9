"""Rewordings by a chat model: taken where nothing is lost, otherwise the template stays."""

import chat_server
import pytest

from kinesight.collection.conversations import Conversation, Order
from kinesight.collection.rephrase import checked, rephrased
from kinesight.language.dialects.answers import AnswerError
from kinesight.language.task_lists import TaskLists

QUESTION = "The task is: put the red cube into the drawer. What is done?"
SAID = "Please put the purple mug into the red box."
TALK = Conversation(
    "n", 3, 0, TaskLists((), ("close it",)), Order("absent", SAID, "I cannot.", ("close it",)),
    ((QUESTION, "Done: nothing."), ("Next?", "Next: close it."), (SAID, "I cannot.")),
)  # fmt: skip
BETTER = "You were to put the red cube in the drawer; what is done so far?"
ORDERED = "Would you drop the purple mug in the red box?"


def test_the_first_question_and_the_command_are_reworded(serve, asking) -> None:
    server = serve(chat_server.says(BETTER), chat_server.says(ORDERED))
    found = rephrased(TALK, asking(server).client)
    assert (found.reworded, found.kept) == (2, 0)
    assert [question for question, _ in found.conversation.exchanges] == [BETTER, "Next?", ORDERED]
    assert [answer for _, answer in found.conversation.exchanges] == [answer for _, answer in TALK.exchanges]
    assert found.conversation.order is not None
    assert found.conversation.order.said == ORDERED
    assert found.conversation.lists == TALK.lists


def test_what_loses_a_thing_is_sent_back_once_and_then_left(serve, asking) -> None:
    server = serve(
        chat_server.says("What is done of the job?"), chat_server.says(BETTER),
        chat_server.says("Drop the mug there."), chat_server.says("Drop it."),
    )  # fmt: skip
    found = rephrased(TALK, asking(server).client)
    assert (found.reworded, found.kept) == (1, 1)
    assert found.conversation.exchanges[0][0] == BETTER
    assert found.conversation.exchanges[-1][0] == SAID


def test_without_an_endpoint_everything_stays(asking) -> None:
    found = rephrased(TALK, asking("http://127.0.0.1:9/v1", attempts=1).client)
    assert (found.reworded, found.kept) == (0, 2)
    assert found.conversation == TALK


@pytest.mark.parametrize(
    "text", ["", "two\nlines with the purple mug and the red box", "the mug into the red box", 200 * "mug "]
)
def test_what_is_no_rewording_is_refused(text: str) -> None:
    with pytest.raises(AnswerError, match="rewording"):
        checked(text, SAID)
