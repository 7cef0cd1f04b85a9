"""Chat servers on loopback, clients that do not sleep, and the scenes that planner and judge are shown."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import chat_server

from kinesight.language.chat import ChatClient, ChatConfig


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a key of the machine has a part in these tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., chat_server.ChatServer]]:
    """`serve(behaviour, …)` starts a server that behaves so, request by request."""
    with ExitStack() as stack:
        yield lambda *behaviours: stack.enter_context(chat_server.serving(behaviours))


@dataclass
class Asking:
    """A client, and the waits that it would have made."""

    client: ChatClient
    waits_s: list[float] = field(default_factory=list)


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Callable[..., Asking]]:
    """`asking(server or address, setting=…)`: a client with a cache of its own and no sleep."""
    with ExitStack() as stack:

        def make(where: chat_server.ChatServer | str, **changes: Any) -> Asking:
            url = where if isinstance(where, str) else where.url
            settings = {"model": "toy", "base_url": url, "cache": tmp_path / "cache", "timeout_s": 20.0}
            waits: list[float] = []
            client = ChatClient(ChatConfig(**settings | changes), waits.append, random.Random(0))
            stack.callback(client.close)
            return Asking(client, waits)

        yield make


@pytest.fixture
def picture() -> np.ndarray:
    """[24 x 32] with a red square at the top left: neither mirrored nor turned looks the same."""
    image = np.full((24, 32, 3), 60, np.uint8)
    image[2:10, 3:11] = (230, 20, 20)
    return image
