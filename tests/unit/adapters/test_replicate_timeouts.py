"""How long each step may take: to connect, to write, to read, and all of it together."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpcore
import pytest

from revela.adapters.replicate.files import Files
from revela.adapters.replicate.outputs import ReplicateOutputs
from revela.adapters.replicate.predictions import Predictions
from revela.domain.errors import ProviderTransient, ProviderUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.unit.adapters.replicate_api import Replicate
from tests.unit.adapters.scripted_server import http

ORIGIN = "http://127.0.0.1:9321"


@dataclass
class Wire:
    """Stands for the sockets: answers `response`, and keeps how long each step was allowed.

    `takes_s`: how much of the time `now_s` a step takes; those named in `breaks` time out instead.
    """

    response: bytes = b""
    takes_s: dict[str, float] = field(default_factory=dict)
    breaks: frozenset[str] = frozenset()
    now_s: float = 0.0
    allowed: list[tuple[str, float | None]] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_s

    def step(self, name: str, timeout_s: float | None, error: type[Exception]) -> None:
        self.allowed.append((name, timeout_s))
        self.now_s += self.takes_s.get(name, 0)
        if name in self.breaks:
            raise error(name)

    def first(self, name: str) -> float | None:
        return next(timeout_s for step, timeout_s in self.allowed if step == name)


class WireStream(httpcore.NetworkStream):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._left = wire.response

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._wire.step("read", timeout, httpcore.ReadTimeout)
        part, self._left = self._left[:max_bytes], self._left[max_bytes:]
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._wire.step("write", timeout, httpcore.WriteTimeout)

    def close(self) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        return None


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wired = Wire()

    def connect_tcp(
        self: httpcore.SyncBackend,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        wired.step("connect", timeout, httpcore.ConnectTimeout)
        return WireStream(wired)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_tcp)
    return wired


def create(wire: Wire) -> None:
    wire.response = http(b'{"id": "p1", "status": "starting"}', status="201 Created")
    client = Replicate().client(base_url=f"{ORIGIN}/v1", transport=None, monotonic=wire.monotonic)
    with closing(client):
        Predictions(client).create(version="a/b", model_input={}, webhook_url=None, cancel_after_s=60)


def upload(wire: Wire) -> None:
    wire.response = http(
        b'{"id": "f1", "urls": {"get": "https://api.replicate.com/v1/files/f1"}}', status="201 Created"
    )
    client = Replicate().client(base_url=f"{ORIGIN}/v1", transport=None, monotonic=wire.monotonic)
    with closing(client):
        Files(client).create(io.BytesIO(b"photos"), filename="photos.zip", metadata={})


def download(wire: Wire) -> None:
    wire.response = http(b"an image")
    outputs = ReplicateOutputs(
        origins=[ORIGIN], clock=FakeClock(), entropy=FakeEntropy(), monotonic=wire.monotonic
    )
    with closing(outputs), outputs.download(f"{ORIGIN}/x"):
        pass


class Bounds(NamedTuple):
    call: Callable[[Wire], None]
    connect_s: float
    write_s: float
    read_s: float
    total_s: float


BOUNDS = {
    "a create": Bounds(create, 5, 10, 25, 30),
    "an upload": Bounds(upload, 5, 10, 25, 300),
    "a download": Bounds(download, 5, 5, 15, 60),
}


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS.keys())
def test_every_wait_is_bounded(bounds: Bounds, wire: Wire) -> None:
    bounds.call(wire)

    assert wire.first("connect") == bounds.connect_s
    assert wire.first("write") == bounds.write_s
    assert wire.first("read") == bounds.read_s


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS.keys())
def test_no_wait_outlasts_the_whole_calls_time(bounds: Bounds, wire: Wire) -> None:
    wire.takes_s = {"connect": bounds.total_s - 3}

    bounds.call(wire)

    assert (wire.first("write"), wire.first("read")) == (3, 3)


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS.keys())
def test_nothing_begins_when_the_whole_calls_time_is_over(bounds: Bounds, wire: Wire) -> None:
    wire.takes_s = {"connect": bounds.total_s}

    with pytest.raises(ProviderTransient):
        bounds.call(wire)

    # Each try may connect, and then has no time left to say anything.
    assert {name for name, _ in wire.allowed} == {"connect"}


def test_a_create_that_never_connected_made_nothing(wire: Wire) -> None:
    wire.breaks = frozenset({"connect"})

    with pytest.raises(ProviderUnavailable):
        create(wire)


@pytest.mark.parametrize("step", ["write", "read"])
def test_a_create_that_was_not_answered_in_time_may_have_been_made(step: str, wire: Wire) -> None:
    wire.breaks = frozenset({step})

    with pytest.raises(ProviderTransient) as raised:
        create(wire)

    assert type(raised.value) is ProviderTransient
    assert [name for name, _ in wire.allowed].count("connect") == 1


@pytest.mark.parametrize("step", ["connect", "write", "read"])
def test_a_download_that_times_out_may_work_later(step: str, wire: Wire) -> None:
    wire.breaks = frozenset({step})

    with pytest.raises(ProviderTransient, match="Timeout"):
        download(wire)
