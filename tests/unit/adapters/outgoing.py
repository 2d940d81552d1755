"""What this process asks of the network, seen where no library passes by: in the interpreter's audit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

EVENTS = frozenset(
    {
        "socket.connect",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
    }
)
# A hook stays for as long as the interpreter lives; it writes into whatever list is here.
_watching: list[list[tuple[str, Any]]] = []


@contextmanager
def outgoing() -> Iterator[list[tuple[str, Any]]]:
    """Collect (event, address or host) of every connection, datagram and look-up in the block."""
    seen: list[tuple[str, Any]] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in EVENTS:
        # A socket comes first where there is one, then where it goes.
        where = arguments[0] if isinstance(arguments[0], str | bytes) else arguments[1]
        for seen in _watching:
            seen.append((event, where))


sys.addaudithook(_hook)
