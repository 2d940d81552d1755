"""A server between the functions and the stand-in, that refuses creates in Replicate's recorded words.

For what the stand-in itself never says: an empty account, a wrong token, a model that is gone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

UNAUTHENTICATED = (
    401,
    {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token"},
)
OUT_OF_CREDIT = (
    402,
    {"title": "Insufficient credit", "detail": "You have insufficient credit to run this model."},
)
NOT_FOUND = (404, {"detail": "The requested resource could not be found.", "status": 404})
INVALID = (
    422,
    {
        "title": "Input validation failed",
        "status": 422,
        "detail": "- input.prompt: Must not say this\n",
        "invalid_fields": [{"type": "x", "field": "input.prompt", "description": "Must not say this"}],
    },
)

Refusal = tuple[int, dict[str, Any]]


class RefusingReplicate:
    """Answers the next creates with `refusals`, in turn, and passes everything else on."""

    def __init__(self, stand_in: str) -> None:
        self.refusals: list[Refusal] = []
        self._stand_in = httpx.Client(base_url=stand_in, timeout=60, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @contextmanager
    def serving(self) -> Iterator[RefusingReplicate]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
            self._stand_in.close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if method == "POST" and path == "/v1/predictions" and self.refusals:
            status, problem = self.refusals.pop(0)
            return status, json.dumps(problem).encode()
        passed = {n: v for n, v in headers.items() if n.lower() not in ("host", "content-length")}
        answer = self._stand_in.request(method, path, headers=passed, content=body)
        return answer.status_code, answer.content

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the handler's, below
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.answer("POST")

            def do_GET(self) -> None:
                self.answer("GET")

            def answer(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, content = outer.answer(method, self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing."""

        return Handler
