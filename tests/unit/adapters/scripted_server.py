"""A server on 127.0.0.1 that answers byte for byte as a test says, faults included."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# Answers one connection, after its request was read.
Script = Callable[[socket.socket], None]


@dataclass
class ScriptedServer:
    """Gives its scripts in turn, the last one again and again; `requests` is what came, whole."""

    scripts: list[Script]
    requests: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, connection: socket.socket) -> None:
        # A client that has seen enough hangs up; that is its right.
        with connection, suppress(OSError):
            self.requests.append(_request(connection))
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            script(connection)


@contextmanager
def serving(*scripts: Script) -> Iterator[ScriptedServer]:
    """Serve one connection after the other until the block ends."""
    server = ScriptedServer(list(scripts))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=_accept, args=(listener, server))
        thread.start()
        try:
            yield server
        finally:
            # Wakes a blocked accept, which closing alone would not.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def sends(*parts: bytes) -> Script:
    """Send and hang up."""

    def script(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return script


def drips(head: bytes, each: threading.Semaphore) -> Script:
    """Send the head, then a single byte for each release, for as long as anybody listens."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while each.acquire():
            connection.sendall(b"x")

    return script


def resets(connection: socket.socket) -> None:
    """Hang up as a crashed server does: by a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def http(body: bytes, *, status: str = "200 OK", length: int | None = None, **headers: str) -> bytes:
    """Return a whole response; `length` is what it claims its body to have."""
    named = {"Content-Length": str(len(body) if length is None else length), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _accept(listener: socket.socket, server: ScriptedServer) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            server.answer(connection)


def _request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return received
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
