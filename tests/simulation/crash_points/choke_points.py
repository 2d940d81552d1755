"""The two ways out of a process: one for AWS (botocore), one for HTTP (httpx)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import IOBase
from pathlib import Path
from typing import Any

import botocore.client
import httpx
import pytest
from botocore.exceptions import ReadTimeoutError

import revela
from tests.contract.wire import canceled, raising, refused, sent_twice
from tests.simulation.crash_points import labels
from tests.simulation.crash_points.breaker import Answer, Breaker, Fault, Send

ADAPTERS = Path(revela.__file__).parent / "adapters"

_WRITES_OF_ONE = ("PutItem", "UpdateItem", "DeleteItem")
_CHANGES = (
    *_WRITES_OF_ONE,
    "TransactWriteItems",
    "PutObject",
    "CopyObject",
    "DeleteObjects",
    "SendMessage",
    "SendMessageBatch",
    "PutSecretValue",
)
_THROTTLING = {"s3": "SlowDown", "sqs": "RequestThrottled"}

# The functions of the adapters, as `file:name`, that a call passed on its way.
Callers = set[str]
# Told of every call to AWS that took effect: service, operation, parameters.
Done = Callable[[str, str, Mapping[str, Any]], None]


@contextmanager
def aws_choked(breaker: Callable[[], Breaker], callers: Callers, done: Done) -> Iterator[None]:
    """Let the breaker of the moment carry every call to AWS, above botocore's own repetitions."""
    client: Any = botocore.client.BaseClient
    original = client._make_api_call

    def carried(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        service = self.meta.service_model.service_name

        def send() -> Any:
            # As botocore does before it sends again: from the beginning, and it may alter what it is given.
            if isinstance(body := parameters.get("Body"), IOBase):
                body.seek(0)
            answer = original(self, operation, dict(parameters))
            if breaker().in_process:
                with breaker().aside():
                    done(service, operation, parameters)
            return answer

        if not breaker().in_process:
            return send()
        callers.update(_adapters_on_stack())
        name = labels.of_aws(service, operation, parameters)
        return breaker().carry(name, send, _aws_faults(service, operation, parameters))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_make_api_call", carried)
        yield


class ChokedTransport(httpx.BaseTransport):
    """Lets the breaker of the moment carry every request, and hands it to `answer`."""

    def __init__(
        self,
        breaker: Callable[[], Breaker],
        callers: Callers,
        answer: Callable[[httpx.Request], httpx.Response],
        judge_of: Callable[[httpx.Request], str | None],
    ) -> None:
        self._breaker = breaker
        self._callers = callers
        self._answer = answer
        self._judge_of = judge_of

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._callers.update(_adapters_on_stack())

        def send() -> httpx.Response:
            return self._answer(request)

        label = labels.of_http(request, self._judge_of(request))
        response: httpx.Response = self._breaker().carry(label, send, _http_faults(request))
        return response


def _aws_faults(service: str, operation: str, parameters: Mapping[str, Any]) -> dict[Fault, Answer]:
    faults: dict[Fault, Answer] = {Fault.THROTTLED: refused(_THROTTLING.get(service, "ThrottlingException"))}
    if operation in _CHANGES:
        lost = ReadTimeoutError(endpoint_url=f"https://{service}.test")
        faults[Fault.UNANSWERED] = lambda send: (send(), raising(lost)(send))
        faults[Fault.SENT_TWICE] = sent_twice
    if operation == "TransactWriteItems":
        items = len(parameters["TransactItems"])
        faults[Fault.CONFLICT] = canceled("TransactionConflict", *["None"] * (items - 1))
    elif operation in _WRITES_OF_ONE:
        faults[Fault.CONFLICT] = refused("TransactionConflictException")
    return faults


def _http_faults(request: httpx.Request) -> dict[Fault, Answer]:
    def unanswered(send: Send) -> httpx.Response:
        send()
        raise httpx.ReadError("connection reset by peer", request=request)

    def throttled(_: Send) -> httpx.Response:
        problem = {"detail": "Request was throttled. Expected available in 1 second.", "status": 429}
        return httpx.Response(429, headers={"retry-after": "1"}, json=problem, request=request)

    return {Fault.UNANSWERED: unanswered, Fault.THROTTLED: throttled}


def _adapters_on_stack() -> Iterator[str]:
    """Yield the functions of the adapters that led here."""
    frame = sys._getframe(2)
    root = str(ADAPTERS)
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(root):
            yield f"{Path(code.co_filename).relative_to(ADAPTERS).as_posix()}:{code.co_qualname}"
        if frame.f_back is None:
            return
        frame = frame.f_back
