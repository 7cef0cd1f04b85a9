"""Questions with pictures to a language model behind any OpenAI-compatible endpoint.

A question is answered from the cache, or by the endpoint within a bounded number of attempts, or ends in a
`ChatError` that says why. Only what may pass is tried again: no connection, no answer in time, status 408,
429 and 5xx. The wait doubles from attempt to attempt, is shortened at random so that processes do not come
back together, and is never less than the endpoint's Retry-After. After some questions in a row that ended so
the client sends no more; the cache still answers.

The key is read from an environment variable and goes into the request's header, nowhere else.
"""

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from kinesight.language.chat_cache import ChatCache, Entry, turns
from kinesight.language.chat_endpoint import Answer, Endpoint, read_key
from kinesight.language.chat_errors import ChatError, EndpointError, EndpointGivenUp, NotCached
from kinesight.language.messages import Message, PictureConfig, digest, wire_message
from kinesight.types.errors import UsageError

PER_MILLION = 1e-6


@dataclass(frozen=True, slots=True)
class ChatConfig:
    """Which model is asked, where, and how patiently."""

    model: str
    """As the endpoint calls it."""
    base_url: str = "http://127.0.0.1:8000/v1"
    """Up to and without /chat/completions; by default a server on this machine."""
    key_variable: str = ""
    """Environment variable that holds the key, e.g. OPENAI_API_KEY; empty sends none."""
    temperature: float | None = 0.0
    """None leaves it to the endpoint; some models accept no other value than their own."""
    seed: int | None = None
    """Of the model's sampling, where the endpoint knows it."""
    max_tokens: int = 512
    """Of the answer; a longer one counts as truncated."""
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How the endpoint calls that limit."""
    pictures: PictureConfig = field(default_factory=PictureConfig)
    timeout_s: float = 60.0
    """For one attempt. It is looked at between reads: one that stalls while connecting, while sending and
    again while waiting takes up to three times as long."""
    attempts: int = 4
    """Requests for one question at most."""
    backoff_s: float = 1.0
    """Wait after the first failure."""
    longest_wait_s: float = 30.0
    """Bound of every wait. An endpoint that asks for more is given up."""
    most_failed: int = 3
    """Questions in a row that the endpoint leaves without an answer, attempts and all; then the client asks
    no more, so that a stalled endpoint costs minutes once and not in every episode."""
    cache: Path | None = Path("data/chat-cache")
    """Folder of answers; None asks anew every time."""
    cache_only: bool = False
    """Never ask, take cached answers only; needs neither key nor endpoint."""
    price_in: float | None = None
    """Of a million tokens of the question, in any currency."""
    price_out: float | None = None
    """Of a million tokens of the answer, in the same."""

    def __post_init__(self) -> None:
        if not self.model:
            raise UsageError("a chat model needs the name by which its endpoint knows it")
        address = urlsplit(self.base_url)
        # The address goes into recipes, results and messages, so nothing secret may be part of it.
        if (
            address.scheme not in ("http", "https")
            or not address.hostname
            or address.query
            or "@" in address.netloc
        ):
            raise UsageError(
                "base_url must be http(s)://HOST[:PORT]/PATH, without user, password and query; the key "
                "comes from the environment variable that key_variable names"
            )
        # What looks like no name may be the key itself, and is not repeated.
        if not re.fullmatch(r"([A-Z_][A-Z0-9_]*)?", self.key_variable):
            raise UsageError("key_variable names an environment variable, in capitals such as OPENAI_API_KEY")
        if min(self.attempts, self.max_tokens, self.most_failed) < 1 or self.timeout_s <= 0:
            raise UsageError(f"attempts, max_tokens, most_failed and timeout_s must be positive, got {self}")
        if min(self.backoff_s, self.longest_wait_s, self.price_in or 0, self.price_out or 0) < 0:
            raise UsageError(f"waits and prices must not be negative, got {self}")
        if self.cache_only and self.cache is None:
            raise UsageError("cache_only needs the folder of a cache")

    @property
    def longest_ask_s(self) -> float:
        """Seconds of one question whose attempts all stall once, with all waits at their longest."""
        return self.attempts * self.timeout_s + (self.attempts - 1) * self.longest_wait_s

    @property
    def settings(self) -> dict[str, Any]:
        """The part of a request beside its messages."""
        chosen = {"model": self.model, "temperature": self.temperature, "seed": self.seed}
        return {k: v for k, v in chosen.items() if v is not None} | {self.tokens_field: self.max_tokens}

    def build(self) -> "ChatClient":
        """The client; a missing package or key is found here, not at the first question."""
        return ChatClient(self)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer and what it took."""

    text: str
    tokens_in: int | None
    """Of the question, where the endpoint counts; of the first time, if cached."""
    tokens_out: int | None
    answered_s: float
    """Seconds of the request that brought the answer; of the first time, if cached."""
    seconds: float
    """Of this question, with failed attempts and waits."""
    attempts: int
    """Requests made; 0 for a cached answer."""
    cost: float | None
    """Of this question by the configured prices, 0 if cached; None where tokens or prices are unknown."""

    @property
    def cached(self) -> bool:
        return self.attempts == 0

    @property
    def values(self) -> dict[str, float]:
        """For a `Note`: what is known of requests, tokens, answered_s and cost."""
        known = {
            "requests": self.attempts,
            "cached": int(self.cached),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "answered_s": self.answered_s,
            "cost": self.cost,
        }
        return {name: float(value) for name, value in known.items() if value is not None}


class ChatClient:
    """Asks one model. `sleep` and the random numbers only decide about waits, never about answers."""

    def __init__(
        self,
        config: ChatConfig,
        sleep: Callable[[float], None] = time.sleep,
        jitter: random.Random | None = None,
    ) -> None:
        self.config = config
        self._sleep = sleep
        self._jitter = jitter or random.Random()
        self._failed = 0
        """Questions in a row that the endpoint left without an answer."""
        self._cache = ChatCache(config.cache)
        self._endpoint = (
            None
            if config.cache_only
            else Endpoint(config.base_url, read_key(config.key_variable), config.timeout_s)
        )

    def close(self) -> None:
        """Give the connections back."""
        if self._endpoint is not None:
            self._endpoint.close()

    def ask(self, messages: Sequence[Message]) -> Reply:
        """The model's answer, from the cache if it is there; otherwise a `ChatError` with its `values`."""
        began = time.perf_counter()
        name = self._digest(messages)
        entry = self._cache.get(name)
        if entry is not None:
            seconds = time.perf_counter() - began
            return Reply(entry.answer, entry.tokens_in, entry.tokens_out, entry.answered_s, seconds, 0, 0.0)
        if self._endpoint is None:
            raise NotCached(
                f"{self.config.cache} holds no answer {name[:12]}… and cache_only allows no request"
            )
        answer, answered_s, attempts = self._request(self._endpoint, messages)
        self._cache.put(
            name,
            Entry(
                answer.text,
                answer.tokens_in,
                answer.tokens_out,
                answered_s,
                self._identity,
                turns(messages),
            ),
        )
        return Reply(
            answer.text,
            answer.tokens_in,
            answer.tokens_out,
            answered_s,
            time.perf_counter() - began,
            attempts,
            self._cost(answer.tokens_in, answer.tokens_out),
        )

    def _request(self, endpoint: Endpoint, messages: Sequence[Message]) -> tuple[Answer, float, int]:
        """As `_try`, unless too many questions in a row have gone unanswered."""
        if self._failed >= self.config.most_failed:
            raise EndpointGivenUp(
                f"{self.config.base_url} is not asked any more: it left {self._failed} questions in a row "
                "without an answer"
            )
        try:
            outcome = self._try(endpoint, messages)
        except ChatError as error:
            # Every other error is about an answer that came.
            unanswered = isinstance(error, EndpointError) and error.retriable
            self._failed = self._failed + 1 if unanswered else 0
            raise
        self._failed = 0
        return outcome

    def _try(self, endpoint: Endpoint, messages: Sequence[Message]) -> tuple[Answer, float, int]:
        """The answer, the seconds of its request, and the number of requests."""
        request = {
            **self.config.settings,
            "messages": [wire_message(message, self.config.pictures) for message in messages],
        }
        attempt = 0
        while True:
            attempt += 1
            began = time.perf_counter()
            try:
                return endpoint.complete(request), time.perf_counter() - began, attempt
            except ChatError as error:
                wait_s = self._wait_s(error, attempt)
                if wait_s is None:
                    raise self._accounted(error, attempt) from None
            self._sleep(wait_s)

    def _wait_s(self, error: ChatError, attempt: int) -> float | None:
        """Seconds before the next attempt; None ends them."""
        if not isinstance(error, EndpointError) or not error.retriable or attempt == self.config.attempts:
            return None
        asked_s = error.retry_after_s or 0.0
        if asked_s > self.config.longest_wait_s:
            return None
        wait_s = self.config.backoff_s * 2 ** (attempt - 1) * self._jitter.uniform(0.5, 1.0)
        return max(asked_s, min(wait_s, self.config.longest_wait_s))

    def _accounted(self, error: ChatError, attempts: int) -> ChatError:
        """The error with its values: requests and, of an answer that was no good, tokens and cost."""
        spent = dict(error.values)
        cost = self._cost(_whole(spent.get("tokens_in")), _whole(spent.get("tokens_out")))
        error.values = {"requests": float(attempts), **spent, **({} if cost is None else {"cost": cost})}
        return error

    def _cost(self, tokens_in: int | None, tokens_out: int | None) -> float | None:
        config = self.config
        if tokens_in is None or tokens_out is None or config.price_in is None or config.price_out is None:
            return None
        return PER_MILLION * (tokens_in * config.price_in + tokens_out * config.price_out)

    @property
    def _identity(self) -> dict[str, Any]:
        """What beside the messages shapes an answer. The same name may be another model elsewhere."""
        pictures = asdict(self.config.pictures)
        return {**self.config.settings, "base_url": self.config.base_url, "pictures": pictures}

    def _digest(self, messages: Sequence[Message]) -> str:
        return digest(messages, self._identity)


def _whole(count: float | None) -> int | None:
    return None if count is None else int(count)
