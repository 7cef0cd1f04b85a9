"""A small HTTP server on loopback that speaks the chat protocol, and misbehaves as a test wants it to.

It is strict about what it is sent: another path, a message without role or a picture that is no picture gets
status 400, as an endpoint would answer.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

Behaviour = Callable[["Handler"], None]

PLAN = "Plan:\n1. move [1, -1, 0] [0.12]\n2. pull [0, 0, 1] [0.20]"


def completion(
    text: str | None, finish: str | None = "stop", usage: tuple[int, int] | None = (812, 40), **message: Any
) -> dict[str, Any]:
    """An answer in the protocol's form."""
    document: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "toy",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
    }
    if usage is not None:
        document["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    return document


def says(text: str | None, finish: str | None = "stop", **changes: Any) -> Behaviour:
    return sends(json.dumps(completion(text, finish, **changes)).encode())


def sends(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Behaviour:
    def behave(handler: "Handler") -> None:
        handler.start(status, kind, len(body), headers)
        handler.wfile.write(body)

    return behave


def fails(status: int, told: str = "try later", code: str | None = None, **headers: str) -> Behaviour:
    return sends(json.dumps({"error": {"message": told, "code": code}}).encode(), status, **headers)


def hangs(handler: "Handler") -> None:
    """Says nothing until the test is over."""
    handler.server.over.wait(30)


def dribbles(handler: "Handler") -> None:
    """A byte now and then: every single read is in time, the answer is not, for five seconds."""
    handler.start(200, "application/json", 100, {})
    for _ in range(100):
        if handler.server.over.wait(0.05):
            return
        handler.wfile.write(b" ")
        handler.wfile.flush()


def breaks_off(handler: "Handler") -> None:
    """Half of the body that it announced."""
    body = json.dumps(completion(PLAN)).encode()
    handler.start(200, "application/json", len(body), {})
    handler.wfile.write(body[: len(body) // 2])


@dataclass
class Request:
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def pictures(self) -> list[np.ndarray]:
        """Decoded, RGB."""
        parts = [m["content"] for m in self.body["messages"] if isinstance(m["content"], list)]
        urls = [part["image_url"]["url"] for one in parts for part in one if part["type"] == "image_url"]
        return [decoded(url) for url in urls]

    @property
    def texts(self) -> list[str]:
        """One a message."""
        contents = [message["content"] for message in self.body["messages"]]
        return [c if isinstance(c, str) else c[-1]["text"] for c in contents]


class ChatServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviours = list(behaviours)
        self.requests: list[Request] = []
        self.over = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def next(self, request: Request) -> Behaviour:
        """The behaviours in turn; the last goes on."""
        with self.lock:
            self.requests.append(request)
            return self.behaviours[min(len(self.requests), len(self.behaviours)) - 1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are part of these tests."""


class Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.close_connection = True
        try:
            request = Request({k.lower(): v for k, v in self.headers.items()}, json.loads(content))
            check(self.path, request)
        except (AssertionError, ValueError, KeyError, TypeError, cv2.error) as error:
            fails(400, f"bad request: {error!r}")(self)
            return
        self.server.next(request)(self)

    def start(self, status: int, kind: str, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Type": kind, "Content-Length": str(length), **named}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def check(path: str, request: Request) -> None:
    """What an endpoint insists on."""
    assert path == "/v1/chat/completions", path
    assert isinstance(request.body["model"], str)
    assert not request.body.get("stream"), "this server answers at once"
    roles = [message["role"] for message in request.body["messages"]]
    assert roles, "no message"
    assert set(roles) <= {"system", "user", "assistant"}, roles
    assert all(picture.ndim == 3 for picture in request.pictures)
    assert all(isinstance(text, str) for text in request.texts)


def decoded(url: str) -> np.ndarray:
    head, data = url.split(",", 1)
    assert head in ("data:image/png;base64", "data:image/jpeg;base64"), head
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, "no picture"
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@contextmanager
def serving(behaviours: Sequence[Behaviour]) -> Iterator[ChatServer]:
    server = ChatServer(behaviours)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
