"""The client against a real server: what it sends, what it believes, when it tries again, what it keeps."""

import json
import logging
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
from chat_server import PLAN, breaks_off, completion, dribbles, fails, hangs, says, sends

from kinesight.language.chat import ChatClient, ChatConfig
from kinesight.language.chat_endpoint import LARGEST_BODY, retry_after_s
from kinesight.language.chat_errors import (
    ChatError,
    EndpointError,
    EndpointGivenUp,
    KeyMissing,
    MalformedReply,
    NotCached,
    RefusedReply,
    TruncatedReply,
)
from kinesight.language.messages import Message, PictureConfig
from kinesight.types.errors import MissingDependency, UsageError
from kinesight.types.serial import from_json, to_json

pytestmark = pytest.mark.extra
KEY = "sk-very-secret-0123456789"
HELLO = (Message("system", "be brief"), Message("user", "hello"))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestWhatIsSent:
    def test_a_question_with_pictures_and_settings(self, serve, asking, picture):
        server = serve(says("hi"))
        client = asking(server, temperature=0.5, seed=3, max_tokens=77).client
        reply = client.ask((Message("system", "rules"), Message("user", "what?", (picture, picture[::-1]))))
        assert (reply.text, reply.attempts, reply.cached) == ("hi", 1, False)
        (request,) = server.requests
        assert request.texts == ["rules", "what?"]
        body = request.body
        assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == ("toy", 0.5, 3, 77)
        assert [p.shape for p in request.pictures] == [(336, 448, 3)] * 2, "enlarged, in proportion"

    def test_a_png_arrives_as_it_was_and_a_jpeg_nearly(self, serve, asking, picture):
        server = serve(says("hi"))
        for format in ("png", "jpeg"):
            pictures = PictureConfig(format, least_side=0)
            asking(server, pictures=pictures).client.ask((Message("user", "what?", (picture,)),))
        (png,), (jpeg,) = (request.pictures for request in server.requests)
        assert np.array_equal(png, picture), "upright, not mirrored, red is red"
        assert 0 < np.abs(jpeg.astype(int) - picture).mean() < 12

    def test_settings_that_are_none_are_left_to_the_endpoint(self, serve, asking):
        server = serve(says("hi"))
        asking(server, temperature=None, tokens_field="max_completion_tokens").client.ask(HELLO)
        body = server.requests[0].body
        assert set(body) == {"model", "messages", "max_completion_tokens"}

    def test_the_key_goes_into_the_header(self, serve, asking, monkeypatch):
        monkeypatch.setenv("TOY_KEY", KEY)
        server = serve(says("hi"))
        asking(server, key_variable="TOY_KEY").client.ask(HELLO)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_without_a_key_variable_no_key_is_sent_even_if_the_client_knows_one(
        self, serve, asking, monkeypatch
    ):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        server = serve(says("hi"))
        asking(server).client.ask(HELLO)
        assert "authorization" not in server.requests[0].headers
        assert KEY not in str(server.requests[0])

    def test_a_redirect_is_not_followed(self, serve, asking):
        other = serve(says("hi"))
        server = serve(sends(b"", 307, Location=f"{other.url}/chat/completions"))
        with pytest.raises(EndpointError, match="status 307"):
            asking(server).client.ask(HELLO)
        assert not other.requests


class TestWhatIsBelieved:
    @pytest.mark.parametrize(
        ("behaviour", "error", "message"),
        [
            (says("half a pl", "length"), TruncatedReply, "raise max_tokens"),
            (says(None, refusal="I will not"), RefusedReply, "declined: I will not"),
            (says("", "content_filter"), RefusedReply, "content filter"),
            (says("  "), MalformedReply, "expected text"),
            (says(None), MalformedReply, "got None"),
            (says("done", None), MalformedReply, "end with 'stop', got None"),
            (says(None, "tool_calls"), MalformedReply, "tool_calls"),
            (sends(b'{"choices": [{"mess'), MalformedReply, "chat completion as JSON"),
            (sends(b"<html>It works!</html>", kind="text/html"), MalformedReply, "It works!"),
            (sends(b""), MalformedReply, "got ''"),
            (sends(b'"text"'), MalformedReply, "chat completion"),
            (sends(b'{"choices": []}'), MalformedReply, "chat completion"),
            (sends(b'{"choices": [{"message": "hi"}]}'), MalformedReply, "chat completion"),
            (sends(b'{"choices": [{"message": {"content": "\xff"}}]}'), MalformedReply, "chat completion"),
            (sends(b"[" * 100_000), MalformedReply, "chat completion"),
            (sends(b" " * (LARGEST_BODY + 1)), MalformedReply, "more than"),
        ],
    )
    def test_what_is_no_complete_answer_has_a_name_and_is_not_asked_for_again(
        self, serve, asking, tmp_path, behaviour, error, message
    ):
        server = serve(behaviour)
        asked = asking(server)
        with pytest.raises(error, match=message) as caught:
            asked.client.ask(HELLO)
        assert caught.value.values["requests"] == len(server.requests) == 1
        assert (asked.waits_s, files(tmp_path)) == ([], [])
        assert len(str(caught.value)) < 400

    def test_a_text_answer_under_a_wrong_type_is_still_read_as_json(self, serve, asking):
        body = json.dumps(completion("hi")).encode()
        assert asking(serve(sends(body, kind="text/plain"))).client.ask(HELLO).text == "hi"


class TestTryingAgain:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_what_may_pass(self, serve, asking, status):
        server = serve(fails(status), fails(status), says("hi"))
        asked = asking(server, backoff_s=1.0)
        reply = asked.client.ask(HELLO)
        assert (reply.text, reply.attempts, len(server.requests)) == ("hi", 3, 3)
        assert 0.5 <= asked.waits_s[0] <= 1 <= asked.waits_s[1] <= 2

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    def test_what_will_not(self, serve, asking, status):
        server = serve(fails(status, "no such model"))
        with pytest.raises(EndpointError, match=f"status {status}: no such model"):
            asking(server).client.ask(HELLO)
        assert len(server.requests) == 1

    def test_an_account_without_credit_is_not_asked_again(self, serve, asking):
        server = serve(fails(429, "pay first", "insufficient_quota"))
        with pytest.raises(EndpointError, match="pay first"):
            asking(server).client.ask(HELLO)
        assert len(server.requests) == 1

    def test_attempts_are_bounded_and_waits_grow_up_to_a_limit(self, serve, asking):
        server = serve(fails(500, "broken"))
        asked = asking(server, attempts=6, backoff_s=1.0, longest_wait_s=3.0)
        with pytest.raises(EndpointError, match="status 500: broken") as caught:
            asked.client.ask(HELLO)
        assert caught.value.values == {"requests": 6.0}
        assert len(server.requests) == 6
        assert len(asked.waits_s) == 5
        assert all(0.5 * b <= w <= b for w, b in zip(asked.waits_s, (1, 2, 3, 3, 3), strict=True))

    def test_retry_after_is_waited_for(self, serve, asking):
        asked = asking(serve(fails(429, Retry_After="7"), says("hi")), backoff_s=0.01)
        assert asked.client.ask(HELLO).text == "hi"
        assert asked.waits_s == [7.0]

    def test_a_date_in_retry_after_too(self, serve, asking):
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
        asked = asking(serve(fails(503, Retry_After=later), says("hi")), backoff_s=0.01)
        asked.client.ask(HELLO)
        assert 10 < asked.waits_s[0] <= 20

    def test_who_asks_for_more_than_the_longest_wait_is_given_up(self, serve, asking):
        server = serve(fails(429, Retry_After="3600"), says("hi"))
        with pytest.raises(EndpointError, match="asks to wait 3600 s"):
            asking(server).client.ask(HELLO)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("header", ["soon", "", "nan", "inf", "Fri, 99 Nov 2026 25:61:00 GMT"])
    def test_an_odd_retry_after_is_as_good_as_none(self, header):
        assert retry_after_s(header) in (None, 0.0)
        assert retry_after_s(None) is None
        assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
        assert retry_after_s("-3") == 0.0

    def test_nobody_there(self, asking):
        asked = asking("http://127.0.0.1:9/v1", attempts=3)
        with pytest.raises(EndpointError, match=r"no connection to http://127\.0\.0\.1:9/v1: .*refused"):
            asked.client.ask(HELLO)
        assert len(asked.waits_s) == 2

    def test_a_connection_that_breaks_off(self, serve, asking):
        server = serve(breaks_off, says("hi"))
        assert asking(server).client.ask(HELLO).attempts == 2

    @pytest.mark.parametrize("behaviour", [hangs, dribbles])
    def test_too_slow(self, serve, asking, behaviour):
        server = serve(behaviour)
        client = asking(server, timeout_s=0.3, attempts=2).client
        began = time.perf_counter()
        with pytest.raises(EndpointError, match=r"from .* within 0\.3 s"):
            client.ask(HELLO)
        assert len(server.requests) == 2
        assert 0.6 <= time.perf_counter() - began < 10

    def test_the_bound_of_a_question_follows_from_its_settings(self):
        config = ChatConfig("toy", timeout_s=10.0, attempts=3, longest_wait_s=5.0)
        assert config.longest_ask_s == 3 * 10 + 2 * 5


def question(number: int) -> tuple[Message]:
    return (Message("user", f"question {number}"),)


class TestGivingUp:
    @pytest.mark.parametrize("behaviour", [fails(503), breaks_off, fails(429, Retry_After="3600")])
    def test_an_endpoint_that_leaves_questions_without_answer_is_asked_no_more(
        self, serve, asking, behaviour
    ):
        server = serve(behaviour)
        client = asking(server, attempts=1).client
        for number in range(3):
            with pytest.raises(EndpointError):
                client.ask(question(number))
        for number in range(3, 6):
            with pytest.raises(EndpointGivenUp, match="not asked any more: it left 3 questions in a row"):
                client.ask(question(number))
        assert len(server.requests) == 3

    def test_any_answer_begins_the_count_anew(self, serve, asking):
        silent = [fails(503), fails(503)]
        server = serve(*silent, says("hi"), *silent, says(None, refusal="no"), *silent, fails(400), *silent)
        client = asking(server, attempts=1).client
        for number in range(11):
            with pytest.raises(ChatError) if number != 2 else nullcontext():
                client.ask(question(number))
        assert len(server.requests) == 11

    def test_the_cache_still_answers(self, serve, asking):
        server = serve(says("hi"), fails(503))
        client = asking(server, attempts=1, most_failed=1).client
        client.ask(question(0))
        with pytest.raises(EndpointError):
            client.ask(question(1))
        with pytest.raises(EndpointGivenUp):
            client.ask(question(2))
        assert client.ask(question(0)).text == "hi"

    def test_a_new_client_asks_again(self, serve, asking):
        server = serve(fails(503), says("hi"))
        with pytest.raises(EndpointError):
            asking(server, attempts=1, most_failed=1).client.ask(question(0))
        assert asking(server).client.ask(question(0)).text == "hi"


class TestCache:
    def test_a_question_is_asked_once(self, serve, asking):
        server = serve(says(PLAN))
        first = asking(server).client.ask(HELLO)
        again = asking(server).client.ask(HELLO)
        assert len(server.requests) == 1
        assert (again.text, again.cached, again.attempts, again.cost) == (PLAN, True, 0, 0.0)
        assert (again.tokens_in, again.tokens_out) == (812, 40)
        assert again.answered_s == first.answered_s

    def test_whatever_shapes_the_answer_is_part_of_the_question(self, serve, asking, picture):
        server = serve(says("hi"))
        question = Message("user", "what?", (picture,))
        other = picture.copy()
        other[0, 0, 0] += 1
        variants = [
            ({}, question),
            ({"model": "other"}, question),
            ({"temperature": 0.1}, question),
            ({"seed": 1}, question),
            ({"max_tokens": 9}, question),
            ({"pictures": PictureConfig("jpeg")}, question),
            ({"pictures": PictureConfig(least_side=99)}, question),
            ({}, Message("user", "what now?", (picture,))),
            ({}, Message("system", "what?", (picture,))),
            ({}, Message("user", "what?")),
            ({}, Message("user", "what?", (picture, picture))),
            ({}, Message("user", "what?", (other,))),
            ({}, Message("user", "what?", (picture.reshape(32, 24, 3),))),
        ]
        for _ in range(2):
            for count, (changes, message) in enumerate(variants, 1):
                asking(server, **changes).client.ask((message,))
                assert len(server.requests) >= count
        assert len(server.requests) == len(variants)

    def test_another_endpoint_of_the_same_name_is_another_model(self, serve, asking):
        one, two = serve(says("one")), serve(says("two"))
        assert [asking(server).client.ask(HELLO).text for server in (one, two, one)] == ["one", "two", "one"]

    def test_patience_and_prices_are_not(self, serve, asking):
        server = serve(says("hi"))
        asking(server).client.ask(HELLO)
        asking(server, timeout_s=1.0, attempts=9, price_in=1.0, price_out=1.0).client.ask(HELLO)
        assert len(server.requests) == 1

    def test_without_a_folder_nothing_is_kept(self, serve, asking, tmp_path):
        server = serve(says("hi"))
        client = asking(server, cache=None).client
        client.ask(HELLO)
        client.ask(HELLO)
        assert (len(server.requests), files(tmp_path)) == (2, [])

    @pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b'{"schema": 1}', b"[]"])
    def test_a_damaged_entry_is_asked_for_again_and_mended(self, serve, asking, tmp_path, damage):
        server = serve(says("hi"))
        asking(server).client.ask(HELLO)
        (entry,) = files(tmp_path)
        whole = entry.read_bytes()
        entry.write_bytes(damage)
        assert asking(server).client.ask(HELLO).text == "hi"
        assert len(server.requests) == 2
        assert json.loads(entry.read_bytes()).keys() == json.loads(whole).keys()

    def test_an_entry_can_be_read_by_eye(self, serve, asking, tmp_path, picture):
        asking(serve(says("hi"))).client.ask((Message("user", "what?", (picture,)),))
        entry = json.loads(files(tmp_path)[0].read_text())
        assert entry["answer"] == "hi"
        assert entry["question"] == [{"role": "user", "text": "what?", "images": 1}]
        assert entry["settings"]["model"] == "toy"

    def test_cache_only_needs_neither_endpoint_nor_key_nor_package(
        self, serve, asking, tmp_path, monkeypatch
    ):
        server = serve(says("hi"))
        asking(server).client.ask(HELLO)
        monkeypatch.setitem(sys.modules, "openai", None)
        client = asking(server, cache_only=True, key_variable="NO_SUCH_KEY").client
        assert client.ask(HELLO).text == "hi"
        with pytest.raises(NotCached, match="cache_only allows no request"):
            client.ask((Message("user", "something else"),))
        assert len(server.requests) == 1

    def test_two_processes_share_a_folder(self, serve, tmp_path):
        server = serve(says(PLAN))
        script = (
            "import sys; from pathlib import Path\n"
            "from kinesight.language.chat import ChatConfig\n"
            "from kinesight.language.messages import Message\n"
            "client = ChatConfig('toy', sys.argv[1], cache=Path(sys.argv[2])).build()\n"
            "asked = [(Message('user', f'question {i % 5}'),) for i in range(40)]\n"
            "print(len({client.ask(one).text for one in asked}))\n"
        )
        command = [sys.executable, "-c", script, server.url, str(tmp_path)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        assert [process.communicate(timeout=60)[0] for process in running] == ["1\n"] * 2
        assert [process.returncode for process in running] == [0, 0]
        assert 5 <= len(server.requests) <= 10, "each process asks what it does not find, once"
        assert len(files(tmp_path)) == 5, "no unfinished file is left"


class TestKey:
    def test_a_missing_key_is_named_before_anything_is_asked(self, monkeypatch):
        monkeypatch.delenv("TOY_KEY", raising=False)
        with pytest.raises(KeyMissing, match="TOY_KEY is not set"):
            ChatConfig("toy", key_variable="TOY_KEY").build()

    @pytest.mark.parametrize("key", [KEY + "\n", f"Bearer {KEY}", KEY + "é"])
    def test_a_key_that_no_header_can_hold_is_not_repeated(self, monkeypatch, key):
        monkeypatch.setenv("TOY_KEY", key)
        with pytest.raises(KeyMissing, match="TOY_KEY holds") as caught:
            ChatConfig("toy", key_variable="TOY_KEY").build()
        assert KEY not in str(caught.value)

    def test_it_is_nowhere_but_in_the_header(self, serve, asking, monkeypatch, tmp_path, caplog):
        """An endpoint that repeats it in errors and answers, with every log switched on."""
        monkeypatch.setenv("TOY_KEY", KEY)
        caplog.set_level(logging.DEBUG)
        echo = f"Incorrect key {KEY}"
        server = serve(
            fails(500, echo), says(f"your key is {KEY}"), fails(401, echo), sends(f"<p>{echo}".encode())
        )
        asked = asking(server, key_variable="TOY_KEY")
        told = [asked.client.ask(HELLO).text]
        for text in ("two", "three"):
            with pytest.raises(ChatError) as caught:
                asked.client.ask((Message("user", text),))
            told += [str(caught.value), repr(caught.value)]
        assert len(server.requests) == 4
        told += [caplog.text, to_json(asked.client.config), repr(asked.client)]
        told += [path.read_text() for path in files(tmp_path)]
        assert caplog.records
        assert not [text for text in told if KEY in text]
        assert told[0] == "your key is [key]"

    def test_words_that_local_servers_take_for_a_key_stay_words(self, serve, asking, monkeypatch):
        monkeypatch.setenv("TOY_KEY", "EMPTY")
        assert asking(serve(says("EMPTY box")), key_variable="TOY_KEY").client.ask(HELLO).text == "EMPTY box"


class TestCost:
    def test_by_the_million(self, serve, asking):
        reply = asking(serve(says("hi")), price_in=2.5, price_out=10.0).client.ask(HELLO)
        assert reply.cost == pytest.approx((812 * 2.5 + 40 * 10) / 1e6)
        assert reply.values == {
            "requests": 1.0,
            "cached": 0.0,
            "tokens_in": 812.0,
            "tokens_out": 40.0,
            "answered_s": reply.answered_s,
            "cost": reply.cost,
        }
        assert 0 < reply.answered_s <= reply.seconds

    def test_a_truncated_answer_costs_too(self, serve, asking):
        with pytest.raises(TruncatedReply) as caught:
            asking(serve(says("hal", "length")), price_in=1.0, price_out=1.0).client.ask(HELLO)
        expected = {"requests": 1.0, "tokens_in": 812.0, "tokens_out": 40.0, "cost": 852e-6}
        assert caught.value.values == pytest.approx(expected)

    @pytest.mark.parametrize("usage", [None, (-1, 5), (True, 5), ("812", 40)])
    def test_what_is_not_counted_is_not_invented(self, serve, asking, usage):
        document = completion("hi", usage=None)
        if usage is not None:
            document["usage"] = dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))
        reply = asking(serve(sends(json.dumps(document).encode())), price_in=1.0, price_out=1.0).client.ask(
            HELLO
        )
        assert reply.tokens_in is None
        assert reply.cost is None
        assert {"tokens_in", "cost"}.isdisjoint(reply.values)


class TestConfig:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"model": ""}, "needs the name"),
            ({"base_url": "127.0.0.1:8000"}, "http"),
            ({"base_url": "ftp://host/v1"}, "http"),
            ({"base_url": f"https://user:{KEY}@host/v1"}, "without user, password"),
            ({"base_url": f"https://host/v1?key={KEY}"}, "query"),
            ({"key_variable": KEY}, "in capitals"),
            ({"attempts": 0}, "positive"),
            ({"timeout_s": 0.0}, "positive"),
            ({"max_tokens": 0}, "positive"),
            ({"most_failed": 0}, "positive"),
            ({"backoff_s": -1.0}, "negative"),
            ({"price_out": -1.0}, "negative"),
            ({"cache": None, "cache_only": True}, "folder"),
        ],
    )
    def test_wrong_settings_are_refused_without_repeating_secrets(self, changes, message):
        with pytest.raises(UsageError, match=message) as caught:
            replace(ChatConfig("toy"), **changes)
        assert KEY not in str(caught.value)

    def test_it_survives_a_recipes_file(self):
        config = ChatConfig("toy", "https://host/v1", "TOY_KEY", None, 3, pictures=PictureConfig("jpeg"))
        assert from_json(ChatConfig, to_json(config)) == config

    def test_a_missing_package_is_named_with_its_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "openai", None)
        with pytest.raises(MissingDependency, match=r"pip install 'kinesight\[chat\]'"):
            ChatClient(ChatConfig("toy"))

    def test_importing_the_library_does_not_load_it(self):
        script = (
            "import sys, kinesight.planning.chat, kinesight.critics.chat_judge\n"
            "print({'openai', 'httpx2', 'torch'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=True
        )
        assert "openai" not in done.stdout
        assert "httpx2" not in done.stdout
