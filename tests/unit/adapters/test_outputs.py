"""Downloads of outputs: from a real server, in bounded size and time, without a trace left behind."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from revela.adapters.replicate.outputs import ATTEMPTS, ReplicateOutputs
from revela.domain.errors import OutputUnusable, ProviderTransient
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.unit.adapters.scripted_server import (
    Script,
    ScriptedServer,
    drips,
    http,
    resets,
    sends,
    serving,
)

IMAGE = bytes(range(256)) * 1_024
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    + b"".join(b"8000\r\n" + IMAGE[i : i + 0x8000] + b"\r\n" for i in range(0, len(IMAGE), 0x8000))
    + b"0\r\n\r\n"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where files go that must be gone after each test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


class Fetching:
    def __init__(self, server: ScriptedServer, **options: Any) -> None:
        self.clock = FakeClock()
        wired: dict[str, Any] = {"origins": [server.origin], "clock": self.clock, "entropy": FakeEntropy()}
        self.outputs = ReplicateOutputs(**wired | options)
        self.url = f"{server.origin}/delivery/x/out-0.webp?signature=s3cret"

    def read(self) -> bytes:
        with self.outputs.download(self.url) as file:
            return file.path.read_bytes()


def fetch(*scripts: Script, **options: Any) -> bytes:
    with serving(*scripts) as server:
        fetching = Fetching(server, **options)
        try:
            return fetching.read()
        finally:
            fetching.outputs.close()


@pytest.mark.parametrize("response", [http(IMAGE), CHUNKED])
def test_an_output_is_a_file_until_its_block_ends(response: bytes, temporary: Path) -> None:
    with serving(sends(response)) as server:
        fetching = Fetching(server)
        with fetching.outputs.download(fetching.url) as file:
            assert file.path.parent == temporary
            assert file.path.read_bytes() == IMAGE
            assert file.size_bytes == len(IMAGE)
            assert file.sha256 == hashlib.sha256(IMAGE).hexdigest()
        assert not file.path.exists()


def test_no_token_and_no_cookie_goes_along() -> None:
    with serving(sends(http(b"a", Set_Cookie="a=b"))) as server:
        Fetching(server).read()

    (request,) = server.requests
    assert b"authorization" not in request.lower()
    assert b"cookie" not in request.lower()
    assert b"Accept-Encoding: identity\r\n" in request
    assert request.startswith(b"GET /delivery/x/out-0.webp?signature=s3cret HTTP/1.1\r\n")


def test_an_error_in_the_block_leaves_no_file() -> None:
    with serving(sends(http(IMAGE))) as server:
        fetching = Fetching(server)
        with pytest.raises(KeyError), fetching.outputs.download(fetching.url):
            raise KeyError("the use case failed")


UNUSABLE = [
    (http(b"", status="404 Not Found"), "gone"),
    (http(b"", status="410 Gone"), "gone"),
    (http(b"", status="301 Moved", Location="http://127.0.0.1:1/"), "status_301"),
    (http(b"", status="302 Found", Location="https://169.254.169.254/"), "status_302"),
    (http(b"", status="307 Temporary Redirect", Location="/elsewhere"), "status_307"),
    (http(b"", status="206 Partial Content"), "status_206"),
    (http(b"", status="204 No Content"), "status_204"),
    (http(b"", status="401 Unauthorized"), "status_401"),
    (http(b"", status="403 Forbidden"), "status_403"),
    (http(gzip.compress(IMAGE), Content_Encoding="gzip"), "encoded"),
    (http(IMAGE, Content_Encoding="br"), "encoded"),
]


@pytest.mark.parametrize(("response", "reason"), UNUSABLE)
def test_what_will_never_be_an_output_is_unusable_at_once(response: bytes, reason: str) -> None:
    with serving(sends(response)) as server, pytest.raises(OutputUnusable) as raised:
        Fetching(server).read()

    assert raised.value.reason == reason
    assert len(server.requests) == 1


def test_an_encoding_that_is_none_is_no_encoding() -> None:
    assert fetch(sends(http(b"a", Content_Encoding="Identity"))) == b"a"


TOO_LARGE = [
    http(b"x" * 1_001),
    http(b"", length=1_001),
    http(b"", length=10**15),
    CHUNKED,
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 100_000,
]


@pytest.mark.parametrize("response", TOO_LARGE)
def test_what_is_too_large_is_not_read_to_its_end(response: bytes) -> None:
    with pytest.raises(OutputUnusable, match="too_large"):
        fetch(sends(response), size_max_bytes=1_000)


def test_what_is_just_small_enough_is_read() -> None:
    assert len(fetch(sends(http(b"x" * 1_000)), size_max_bytes=1_000)) == 1_000


TROUBLE = [
    sends(http(b"", status="500 Internal Server Error")),
    sends(http(b"", status="502 Bad Gateway")),
    sends(http(b"", status="503 Service Unavailable")),
    sends(http(b"", status="429 Too Many Requests")),
    sends(http(b"", status="408 Request Timeout")),
    sends(http(IMAGE[:100], length=len(IMAGE))),
    sends(CHUNKED[:100_000]),
    sends(b"HTTP/1.1 200 OK\r\nContent-"),
    sends(),
    resets,
]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_what_goes_wrong_once_is_fetched_again_from_the_start(trouble: Script) -> None:
    assert fetch(trouble, trouble, sends(http(IMAGE))) == IMAGE


@pytest.mark.parametrize("trouble", TROUBLE)
def test_what_goes_on_going_wrong_may_work_later(trouble: Script) -> None:
    with serving(trouble) as server:
        fetching = Fetching(server)
        with pytest.raises(ProviderTransient):
            fetching.read()

    assert len(server.requests) == ATTEMPTS
    assert len(fetching.clock.slept_until) == ATTEMPTS - 1


def test_waits_double_and_are_jittered() -> None:
    class Halves(FakeEntropy):
        def fraction(self) -> float:
            return 0.5

    with serving(sends(http(b"", status="503 Service Unavailable"))) as server:
        fetching = Fetching(server, entropy=Halves())
        with pytest.raises(ProviderTransient):
            fetching.read()

    moments = [FakeClock().now(), *fetching.clock.slept_until]
    waits_s = [(after - before).total_seconds() for before, after in pairwise(moments)]
    assert waits_s == [0.25, 0.5, 1.0]


def test_a_body_cut_short_is_noticed_whatever_the_transport_says() -> None:
    def short(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": "10"}, stream=httpx.ByteStream(b"only 6"))

    outputs = ReplicateOutputs(
        origins=["https://replicate.delivery"],
        clock=FakeClock(),
        entropy=FakeEntropy(),
        transport=httpx.MockTransport(short),
    )

    with (
        pytest.raises(ProviderTransient, match="cut short"),
        outputs.download("https://replicate.delivery/x"),
    ):
        raise AssertionError("there is no file")


def test_a_server_that_drips_is_left_when_the_time_is_over() -> None:
    class Ticks:
        now_s = 0.0
        passed = threading.Semaphore(0)

        def __call__(self) -> float:
            self.now_s += 1
            self.passed.release()
            return self.now_s

    ticks = Ticks()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    with serving(drips(head, ticks.passed), resets) as server:
        with pytest.raises(ProviderTransient):
            Fetching(server, monotonic=ticks, total_max=timedelta(seconds=20)).read()
        ticks.passed.release(1_000)

    assert ticks.now_s >= 20


def test_repetitions_stop_when_the_time_is_over() -> None:
    unavailable = sends(http(b"", status="503 Service Unavailable"))
    with serving(unavailable) as server, pytest.raises(ProviderTransient):
        Fetching(server, total_max=timedelta(milliseconds=1)).read()

    # None, where connecting took longer.
    assert len(server.requests) <= 1


def test_an_error_does_not_quote_the_url() -> None:
    with pytest.raises(ProviderTransient) as raised:
        fetch(resets)

    assert "s3cret" not in f"{raised.value!r} {raised.value.__cause__!r}"


@pytest.mark.parametrize("url", ["data:image/png;base64,iVBORw0KGgo=", "https://replicate.delivery/x"])
def test_a_forbidden_url_is_refused_before_anything_is_opened(url: str) -> None:
    with serving(sends(http(IMAGE))) as server:
        with pytest.raises(OutputUnusable, match="forbidden_url"):
            Fetching(server).outputs.download(url)
        assert server.requests == []


def test_an_address_is_judged_at_the_moment_of_connecting() -> None:
    answers = iter([["104.18.32.7"], ["169.254.169.254"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    outputs = ReplicateOutputs(
        origins=["https://replicate.delivery"], clock=FakeClock(), entropy=FakeEntropy(), lookup=rebinding
    )
    next(answers)  # what a check beforehand would have seen

    with (
        pytest.raises(OutputUnusable, match="forbidden_address"),
        outputs.download("https://pbxt.replicate.delivery/x"),
    ):
        raise AssertionError("there is no file")
    assert asked == ["pbxt.replicate.delivery"]
    outputs.close()


def test_memory_does_not_grow_with_the_output() -> None:
    import tracemalloc

    size = 24 * 1024 * 1024
    with serving(sends(http(b"", length=size), *[bytes(1024 * 1024)] * 24)) as server:
        fetching = Fetching(server)
        tracemalloc.start()
        try:
            with fetching.outputs.download(fetching.url) as file:
                assert file.size_bytes == size
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak_bytes < 4 * 1024 * 1024
