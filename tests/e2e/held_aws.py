"""A server between one function and the embedded AWS, that holds a call of its worker.

A worker that waits for the answer is at a known place, and can be killed there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from local import aws
from local.state import State

PATIENCE_S = 60
# What belongs to one connection, not to what is passed on. The body is whole when it is.
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "expect")


@dataclass(frozen=True)
class Call:
    """`operation`: DynamoDB's, empty for S3, whose method and path say it."""

    method: str
    path: str
    operation: str
    body: bytes


@dataclass
class Moment:
    """The `nth` call that `matches`; held before AWS hears of it, or after it has done it."""

    matches: Callable[[Call], bool]
    nth: int = 1
    is_done: bool = False
    _seen: int = field(default=0, init=False)

    def is_this(self, call: Call) -> bool:
        if not self.matches(call):
            return False
        self._seen += 1
        return self._seen == self.nth


@dataclass(frozen=True)
class _Hold:
    moment: Moment
    has_come: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)


class HeldAws:
    """Passes on every call, but the one that was asked for: its worker gets no answer."""

    def __init__(self, endpoint_url: str) -> None:
        self._aws = urlsplit(endpoint_url)
        self._hold: _Hold | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def holding(self, moment: Moment) -> Iterator[Callable[[], None]]:
        """Yield what waits for the moment; the call is dropped, unanswered, when the block ends."""
        hold = self._hold = _Hold(moment)

        def wait() -> None:
            assert hold.has_come.wait(PATIENCE_S), "the worker never came to that call"

        try:
            yield wait
        finally:
            self._hold = None
            hold.is_over.set()

    @contextmanager
    def serving(self) -> Iterator[HeldAws]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _held(self, call: Call) -> _Hold | None:
        with self._lock:
            hold = self._hold
            return hold if hold is not None and hold.moment.is_this(call) else None

    def _pass_on(self, call: Call, headers: Mapping[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        """With its own Host and path, byte for byte: both are signed."""
        assert self._aws.hostname is not None
        connection = HTTPConnection(self._aws.hostname, self._aws.port, timeout=PATIENCE_S)
        passed = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            connection.request(call.method, call.path, call.body, passed)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the handler's, below
        class Handler(BaseHTTPRequestHandler):
            # Uploads ask whether to go on before they send their body.
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                call = Call(self.command, self.path, operation, body)
                hold = outer._held(call)
                if hold is None or hold.moment.is_done:
                    status, headers, content = outer._pass_on(call, dict(self.headers))
                if hold is not None:
                    hold.has_come.set()
                    hold.is_over.wait()
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  # names that its base calls

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing."""

        return Handler


@contextmanager
def between(current: State, folder: str) -> Iterator[HeldAws]:
    """Stand between a function and AWS for as long as the context lasts."""
    lambdas = aws.client("lambda", current.aws_endpoint_url)
    function = current.functions[folder]

    def point_at(endpoint_url: str) -> None:
        variables = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        changed = {"Variables": variables | {"AWS_ENDPOINT_URL": endpoint_url}}
        lambdas.update_function_configuration(FunctionName=function, Environment=changed)

    with HeldAws(current.aws_endpoint_url).serving() as held:
        point_at(held.endpoint_url)
        try:
            yield held
        finally:
            point_at(current.aws_endpoint_url)
