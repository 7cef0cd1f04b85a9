"""What can go wrong between a question to a language model and an answer that can be used."""

from collections.abc import Mapping

from kinesight.types.errors import KinesightError


class ChatError(KinesightError):
    """A question without a usable answer; who asks may fall back on something else."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.values: Mapping[str, float] = {}
        """What the attempt cost all the same; see `kinesight.language.chat.Reply.values`."""


class KeyMissing(ChatError):
    """The environment variable with the key is empty, or holds what no key can be."""


class NotCached(ChatError):
    """Only cached answers are allowed and there is none."""


class EndpointError(ChatError):
    """The endpoint was not reached, answered too late, or with a status that says no."""

    def __init__(self, message: str, *, retriable: bool, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retriable = retriable
        """Whether the same request may succeed later."""
        self.retry_after_s = retry_after_s
        """The wait that the endpoint asked for."""


class EndpointGivenUp(ChatError):
    """Too many questions in a row had no answer, this one was not sent."""


class MalformedReply(ChatError):
    """An answer that does not follow the protocol: no JSON, no text, an unknown reason to stop."""


class TruncatedReply(ChatError):
    """The model stopped at the limit of tokens, not at the end of its answer."""


class RefusedReply(ChatError):
    """The model or its filter declined to answer."""


class UnreadableReply(ChatError):
    """A complete answer that is not of the form that was asked for; `from` the strict reader's error."""
