"""A Replicate that answers as a test says, behind our own client."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx

from revela.adapters.replicate.client import ReplicateClient
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.fakes.telemetry import FakeTelemetry

BASE_URL = "https://api.replicate.com/v1"
TOKEN = "r8_not_to_be_seen_anywhere"
PREDICTION_ID = "gm3qorzdhgbfurvjtvhg6dckhu"
NOT_JSON = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


@dataclass
class Replicate:
    """Gives its answers in turn, the last one again and again; keeps what it was asked."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    telemetry: FakeTelemetry = field(default_factory=FakeTelemetry)

    def client(self, *answers: Answer, **options: Any) -> ReplicateClient:
        self.answers = list(answers)
        wired: dict[str, Any] = {
            "base_url": BASE_URL,
            "token": lambda: TOKEN,
            "clock": self.clock,
            "entropy": FakeEntropy(),
            "telemetry": self.telemetry,
            "transport": httpx.MockTransport(self._answer),
        }
        return ReplicateClient(**wired | options)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def waits_s(self) -> list[float]:
        """How long was slept before each repetition."""
        moments = [FakeClock().now(), *self.clock.slept_until]
        return [(after - before).total_seconds() for before, after in pairwise(moments)]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


def said(status: int, body: Any = None, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    """Return an answer that can be given more than once; header names with `_` for `-`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx.Response(status, content=content, headers=named, request=request)


def prediction(**fields: Any) -> dict[str, Any]:
    return {"id": PREDICTION_ID, "status": "starting"} | fields
