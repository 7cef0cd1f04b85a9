"""One request to an OpenAI-compatible endpoint, through the `openai` client; the only file that loads it.

The client's own retries and reading are not used. Its time-outs hold for each read, so an endpoint that sends
a byte now and then would never be late; and what it makes of a body that is no JSON depends on the headers.
Here the answer has to be complete by a deadline, of a bounded size, and of the form that the protocol says.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from kinesight.language.chat_errors import (
    ChatError,
    EndpointError,
    KeyMissing,
    MalformedReply,
    RefusedReply,
    TruncatedReply,
)
from kinesight.types.errors import MissingDependency

LARGEST_BODY = 4_000_000
"""Bytes of an answer; plans and verdicts have a few hundred."""
TRY_AGAIN = (408, 429)
"""With every 5xx, the statuses that may pass."""
SHORTEST_SECRET = 8
"""Characters; shorter keys, such as the "EMPTY" of local servers, are no secret and may be ordinary words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote, and its tokens where the endpoint counts them."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None


def read_key(variable: str) -> str:
    """The key in an environment variable, "" for no variable. No message ever repeats it."""
    key = os.environ.get(variable, "") if variable else ""
    if variable and not key:
        raise KeyMissing(
            f"The environment variable {variable} is not set; it should hold the endpoint's key. "
            "An endpoint that needs none is used with key_variable=''."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise KeyMissing(f"The environment variable {variable} holds spaces or signs that no key has.")
    return key


class Endpoint:
    """A connection to one address; keeps the key to itself."""

    def __init__(self, base_url: str, key: str, timeout_s: float) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingDependency(
                "Asking a chat endpoint needs the openai package: pip install 'kinesight[chat]'."
            ) from error
        self.base_url = base_url
        self.timeout_s = timeout_s
        self._key = key
        self._openai = openai
        self._client = openai.OpenAI(
            api_key=key or "none",
            base_url=base_url,
            timeout=timeout_s,
            max_retries=0,
            # Pictures go to the address that was given and to no other.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )
        # Without a key of ours, none that the client may find elsewhere.
        self._headers = {} if key else {"Authorization": openai.Omit()}

    def close(self) -> None:
        self._client.close()

    def complete(self, request: Mapping[str, Any]) -> Answer:
        """The answer to one request (model, messages, settings) or a `ChatError`; never tries twice."""
        import httpx2

        openai = self._openai
        try:
            body = self._body(request)
        except openai.APIStatusError as error:
            raise self._status_error(error) from None
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise EndpointError(
                f"no answer from {self.base_url} within {self.timeout_s:g} s", retriable=True
            ) from None
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            cause = self._hidden(str(error.__cause__ or error)) or type(error).__name__
            raise EndpointError(f"no connection to {self.base_url}: {cause}", retriable=True) from None
        return self._answer(body)

    def _body(self, request: Mapping[str, Any]) -> bytes:
        deadline = time.monotonic() + self.timeout_s
        body = bytearray()
        send = self._client.chat.completions.with_streaming_response.create
        with send(**request, extra_headers=self._headers) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > LARGEST_BODY:
                    raise MalformedReply(f"{self.base_url} sent more than {LARGEST_BODY} bytes")
                if time.monotonic() > deadline:
                    raise EndpointError(
                        f"no whole answer from {self.base_url} within {self.timeout_s:g} s", retriable=True
                    )
        return bytes(body)

    def _status_error(self, error: Any) -> EndpointError:
        status = int(error.status_code)
        told = error.body.get("message") if isinstance(error.body, Mapping) else error.body
        # An account without credit stays so, although the status is the one of "too many requests".
        retriable = (status in TRY_AGAIN or status >= 500) and error.code != "insufficient_quota"
        wait_s = retry_after_s(error.response.headers.get("retry-after"))
        asked = "" if wait_s is None else f" (asks to wait {wait_s:.0f} s)"
        return EndpointError(
            f"{self.base_url} answered with status {status}{asked}: {self._hidden(str(told or 'no reason'))}",
            retriable=retriable,
            retry_after_s=wait_s,
        )

    def _answer(self, body: bytes) -> Answer:
        try:
            document = json.loads(body)
            choice = document["choices"][0]
            message, finish = choice["message"], choice.get("finish_reason")
            text, refusal = message.get("content"), message.get("refusal")
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            shown = self._hidden(body[:300].decode(errors="replace"))
            raise MalformedReply(
                f"{self.base_url} should answer with a chat completion as JSON, got {shown!r}"
            ) from None
        usage = document.get("usage")
        usage = usage if isinstance(usage, Mapping) else {}
        tokens_in, tokens_out = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        problem = self._problem(text, refusal, finish)
        if problem is not None:
            problem.values = {
                name: float(count)
                for name, count in (("tokens_in", tokens_in), ("tokens_out", tokens_out))
                if count is not None
            }
            raise problem
        return Answer(self._without_key(text), tokens_in, tokens_out)

    def _problem(self, text: Any, refusal: Any, finish: Any) -> ChatError | None:
        """Why a choice is no complete answer, if it is none."""
        if refusal or finish == "content_filter":
            return RefusedReply(f"the model declined: {self._hidden(str(refusal or 'content filter'))}")
        if finish == "length":
            return TruncatedReply("the answer was cut off at the limit of tokens; raise max_tokens")
        if finish != "stop":
            return MalformedReply(f"expected the answer to end with 'stop', got {finish!r:.40}")
        if not isinstance(text, str) or not text.strip():
            return MalformedReply(f"expected text as the message's content, got {text!r:.40}")
        return None

    def _hidden(self, text: str) -> str:
        """One short line of something foreign, without the key."""
        line = " ".join(self._without_key(text).split())
        return line if len(line) <= 200 else line[:199] + "…"

    def _without_key(self, text: str) -> str:
        """An endpoint may repeat the key, in an error or an answer; both end up in files."""
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_SECRET else text


def retry_after_s(header: str | None) -> float | None:
    """Seconds from a Retry-After header, a number or a date; None for neither, 0 for the past."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0) if seconds < float("inf") else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
