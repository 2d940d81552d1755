"""An httpx transport that knows where it may connect and when it must be done.

httpx bounds each wait for bytes, never the whole call: a server that drips one byte at a time holds a
worker for hours. And httpx resolves names itself, so that a check of the address beforehand would check
another answer than the one it then connects to. Both are decided here, where sockets are opened and read.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import httpcore
import httpx

# Returns the addresses that a connection to (host, port) may be made to, best first.
Resolver = Callable[[str, int], list[str]]
Monotonic = Callable[[], float]

# At INFO and below these two write every URL, query and signature included.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def time_limit(limit_s: float, *, monotonic: Monotonic = time.monotonic) -> Iterator[None]:
    """Let no request in this block, the body of its answer included, outlast `limit_s`."""
    token = _deadline.set(monotonic() + limit_s)
    try:
        yield
    finally:
        _deadline.reset(token)


class BoundedTransport(httpx.BaseTransport):
    """Pooled connections: nothing is sent twice, no redirect followed, no proxy used.

    `resolve` None connects to whatever the system's resolver says.
    """

    def __init__(self, *, resolve: Resolver | None = None, monotonic: Monotonic = time.monotonic) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls_context(),
            max_connections=20,
            # A connection that idled through a freeze of the process may be dead without showing it,
            # and a create sent over it would be one whose fate nobody knows.
            keepalive_expiry=5.0,
            retries=0,
            network_backend=_Backend(resolve, monotonic),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _httpx_errors():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        # httpx reads where a redirect leads even if it is not to follow, and fails over what is no URL.
        headers = [(name, value) for name, value in answer.headers if name.lower() != b"location"]
        return httpx.Response(
            answer.status, headers=headers, stream=_Body(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


@cache
def _tls_context() -> ssl.SSLContext:
    # One per process: certificates are read and parsed once.
    return httpx.create_ssl_context()


class _Backend(httpcore.NetworkBackend):
    def __init__(self, resolve: Resolver | None, monotonic: Monotonic) -> None:
        self._resolve = resolve
        self._monotonic = monotonic
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in [host] if self._resolve is None else self._resolve(host, port):
            bounded_s = _bounded(timeout, self._monotonic, httpcore.ConnectTimeout)
            try:
                stream = self._sockets.connect_tcp(address, port, bounded_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._monotonic)
        raise failure


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, monotonic: Monotonic) -> None:
        self._stream = stream
        self._monotonic = monotonic

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _bounded(timeout, self._monotonic, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _bounded(timeout, self._monotonic, httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        bounded_s = _bounded(timeout, self._monotonic, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, bounded_s), self._monotonic)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


def _bounded(timeout_s: float | None, monotonic: Monotonic, error: type[Exception]) -> float | None:
    """Return how long one operation may take, or raise when the call's time is over."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout_s
    left_s = deadline - monotonic()
    if left_s <= 0:
        raise error("the call's whole time is over")
    return left_s if timeout_s is None else min(timeout_s, left_s)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


_HTTPX_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except tuple(_HTTPX_ERRORS) as error:
        raise _HTTPX_ERRORS[type(error)](str(error)) from error
