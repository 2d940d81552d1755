"""Stands between the adapters and AWS: sees every call, and lets tests break some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

Send = Callable[[], Any]
Fault = Callable[[Send], Any]


class Wire:
    """`calls` holds (operation, parameters) in order; `faults` by operation are used up one per call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.clients: set[int] = set()
        self.faults: dict[str, list[Fault]] = {}

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def break_next(self, operation: str, *faults: Fault) -> None:
        self.faults.setdefault(operation, []).extend(faults)

    def carry(self, operation: str, parameters: dict[str, Any], send: Send) -> Any:
        self.calls.append((operation, parameters))
        faults = self.faults.get(operation)
        return faults.pop(0)(send) if faults else send()


def sent_twice(send: Send) -> Any:
    """Do what botocore does when an answer was lost: send again; the second answer is the one heard."""
    send()
    return send()


def refused(code: str, **response: Any) -> Fault:
    def refuse(_: Send) -> Any:
        answer: Any = {"Error": {"Code": code, "Message": code}, **response}
        raise ClientError(answer, "Operation")

    return refuse


def canceled(*reasons: str) -> Fault:
    """A transaction is canceled; one reason for each of its items, "None" for those not at fault."""
    return refused("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in reasons])


def raising(error: Exception) -> Fault:
    def fail(_: Send) -> Any:
        raise error

    return fail


@contextmanager
def wire() -> Iterator[Wire]:
    between = Wire()
    client: Any = botocore.client.BaseClient
    original = client._make_api_call

    def carried(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        between.clients.add(id(self))
        return between.carry(operation, parameters, lambda: original(self, operation, parameters))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_make_api_call", carried)
        yield between
