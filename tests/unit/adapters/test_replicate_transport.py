"""Where connections go and how long they last, on real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from revela.adapters.replicate.predictions import Predictions
from revela.adapters.replicate.transport import BoundedTransport, time_limit
from revela.domain.errors import ProviderTransient, ProviderUnavailable
from tests.unit.adapters.replicate_api import Replicate
from tests.unit.adapters.scripted_server import drips, http, resets, sends, serving

CREATED = http(b'{"id": "abc", "status": "starting"}', status="201 Created")


class Ticks:
    """A clock of which each look costs a second; `passed` is released at each."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.passed = threading.Semaphore(0)

    def __call__(self) -> float:
        self.now_s += 1
        self.passed.release()
        return self.now_s


def create(base_url: str, **options: Any) -> Any:
    client = Replicate().client(base_url=base_url, transport=None, **options)
    try:
        return Predictions(client).create(
            version="a/b", model_input={"prompt": "x"}, webhook_url=None, cancel_after_s=60
        )
    finally:
        client.close()


def test_a_request_arrives_as_it_was_meant() -> None:
    with serving(sends(CREATED)) as server:
        assert create(f"{server.origin}/v1").id == "abc"

    (request,) = server.requests
    assert request.startswith(b"POST /v1/predictions HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"version":"a/b","input":{"prompt":"x"}}')


def test_a_refused_connection_created_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(ProviderUnavailable):
        create(f"http://127.0.0.1:{port}/v1")


def test_a_name_that_nobody_knows_created_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(ProviderUnavailable):
        create("http://replicate.invalid/v1")


@pytest.mark.parametrize(
    "script",
    [
        resets,
        sends(),
        sends(b"HTTP/1.1 201 Cre"),
        sends(http(b'{"id": "a', length=1_000)),
        sends(b"garbage\r\n\r\n"),
    ],
)
def test_what_breaks_off_after_the_request_may_have_been_created(script: Any) -> None:
    with serving(script) as server, pytest.raises(ProviderTransient) as raised:
        create(f"{server.origin}/v1")

    assert type(raised.value) is ProviderTransient
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 201 Created\r\nX-Padding: ", b"HTTP/1.1 201 Created\r\nContent-Length: 9999999\r\n\r\n"],
)
def test_a_server_that_drips_is_left_when_the_whole_calls_time_is_over(head: bytes) -> None:
    ticks = Ticks()

    with serving(drips(head, ticks.passed)) as server:
        with pytest.raises(ProviderTransient) as raised:
            create(f"{server.origin}/v1", monotonic=ticks)
        ticks.passed.release(1_000)

    assert type(raised.value) is ProviderTransient
    # Thirty seconds, of which each look at the clock costs one.
    assert 30 < ticks.now_s < 40


def test_a_call_whose_time_is_over_before_it_connects_created_nothing() -> None:
    class Late:
        looks = iter([0.0, 0.0, 31.0, 31.0])

        def __call__(self) -> float:
            return next(self.looks)

    with serving(sends(CREATED)) as server, pytest.raises(ProviderUnavailable):
        create(f"{server.origin}/v1", monotonic=Late())

    assert server.requests == []


def test_without_a_limit_the_waits_themselves_still_end() -> None:
    with (
        serving(_is_silent) as server,
        httpx.Client(transport=BoundedTransport(), timeout=0.05) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get(server.origin)


def test_a_limit_ends_with_its_block() -> None:
    ticks = Ticks()
    transport = BoundedTransport(monotonic=ticks)
    with serving(sends(http(b"ok"))) as server, httpx.Client(transport=transport) as client:
        with time_limit(0, monotonic=ticks), pytest.raises(httpx.ConnectTimeout):
            client.get(server.origin)
        assert client.get(server.origin).content == b"ok"


def test_the_address_connected_to_is_the_one_that_was_resolved() -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    transport = BoundedTransport(resolve=resolve)
    with serving(sends(http(b"ok"))) as server, httpx.Client(transport=transport) as client:
        assert client.get(f"http://pictures.invalid:{server.port}/x").content == b"ok"

    assert asked == [("pictures.invalid", server.port)]
    assert f"Host: pictures.invalid:{server.port}".encode() in server.requests[0]


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    transport = BoundedTransport(resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    with serving(sends(http(b"ok"))) as server, httpx.Client(transport=transport) as client:
        assert client.get(f"http://pictures.invalid:{server.port}/").content == b"ok"


def test_a_name_without_addresses_is_not_connected_to() -> None:
    transport = BoundedTransport(resolve=lambda host, port: [])
    with httpx.Client(transport=transport) as client, pytest.raises(httpx.ConnectError):
        client.get("http://pictures.invalid/")


def test_the_certificate_must_be_that_of_the_name_not_of_the_address() -> None:
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)

    def handshake(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=handshake, args=(listener,))
        thread.start()
        transport = BoundedTransport(resolve=lambda host, port: ["127.0.0.1"])
        with httpx.Client(transport=transport) as client, pytest.raises(httpx.ConnectError):
            client.get(f"https://pictures.invalid:{listener.getsockname()[1]}/")
        thread.join()

    assert seen == ["pictures.invalid"]


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(sends(CREATED)) as server:
        assert create(f"{server.origin}/v1").id == "abc"


def test_a_connection_serves_more_than_one_request() -> None:
    keep = http(b"ok").replace(b"Connection: close", b"Connection: keep-alive")

    def twice(connection: socket.socket) -> None:
        connection.sendall(keep)
        connection.recv(65536)
        connection.sendall(keep)

    with serving(twice) as server, httpx.Client(transport=BoundedTransport()) as client:
        assert client.get(server.origin).content == b"ok"
        assert client.get(server.origin).content == b"ok"
        assert len(server.requests) == 1


def _is_silent(connection: socket.socket) -> None:
    # Until the client hangs up.
    connection.recv(1)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before
