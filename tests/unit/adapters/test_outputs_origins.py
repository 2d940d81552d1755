"""Which URLs may be fetched, and which addresses may stand behind their names: the SSRF corpus."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from revela.adapters.replicate.origins import AllowedOrigins
from revela.domain.errors import OutputUnusable
from tests.unit.adapters.hostile_urls import FORBIDDEN, NOT_PUBLIC, REPLICATE, STAND_IN


def allowed(*addresses: str, origins: tuple[str, ...] = (REPLICATE, STAND_IN)) -> AllowedOrigins:
    return AllowedOrigins(origins, lookup=lambda host, port: list(addresses))


@pytest.mark.parametrize(
    "url",
    [
        "https://replicate.delivery/yhqm/out-0.webp",
        "https://pbxt.replicate.delivery/a/b/out-0.png",
        "https://a.b.c.replicate.delivery/x",
        "https://REPLICATE.delivery/X",
        "HTTPS://replicate.delivery/x",
        "https://replicate.delivery:443/x",
        "https://replicate.delivery/x?token=a%20b&c=[d]~",
        "https://replicate.delivery",
        "http://127.0.0.1:9321/delivery/x/out-0.webp",
    ],
)
def test_outputs_are_fetched_from_where_they_are_delivered(url: str) -> None:
    assert allowed().checked(url).path == httpx.URL(url).path


@pytest.mark.parametrize("url", FORBIDDEN)
def test_nothing_is_fetched_from_elsewhere(url: str) -> None:
    with pytest.raises(OutputUnusable, match="forbidden_url"):
        allowed("203.0.113.1").checked(url)


@pytest.mark.parametrize("address", ["104.18.32.7", "2606:4700::6812:2007"])
def test_public_addresses_are_connected_to(address: str) -> None:
    assert allowed(address).resolve("replicate.delivery", 443) == [address]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_only_we_can_reach_is_not_connected_to(address: str) -> None:
    with pytest.raises(OutputUnusable, match="forbidden_address"):
        allowed(address).resolve("pbxt.replicate.delivery", 443)


def test_one_good_address_does_not_excuse_another() -> None:
    with pytest.raises(OutputUnusable, match="forbidden_address"):
        allowed("104.18.32.7", "169.254.169.254").resolve("replicate.delivery", 443)


@pytest.mark.parametrize("address", ["104.18.32.7", "10.0.0.1", "169.254.169.254", "::ffff:8.8.8.8"])
def test_an_origin_on_this_machine_leads_nowhere_else(address: str) -> None:
    with pytest.raises(OutputUnusable, match="forbidden_address"):
        allowed(address).resolve("127.0.0.1", 9321)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "stand-in.localhost"])
def test_an_origin_on_this_machine_is_reached_on_this_machine(host: str, address: str) -> None:
    assert allowed(address).resolve(host, 9321) == [address]


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "replicate.delivery",
        "ftp://replicate.delivery",
        "http://replicate.delivery",
        "http://10.0.0.1:9000",
        "https://8.8.8.8",
        "https://user@replicate.delivery",
        "https://replicate.delivery/path",
        "https://replicate.delivery?x",
        "https://replicate.delivery?x=1",
        "https://*.replicate.delivery",
        "https://[::1]:9000",
        "https://.delivery",
        "https://",
        "https://replicate.delivery:port",
    ],
)
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match=r"no origin|outputs come over https"):
        AllowedOrigins([origin])


def test_an_origin_with_a_port_is_meant_exactly() -> None:
    origins = allowed(origins=("https://cdn.example.test:8443/",))

    assert origins.checked("https://cdn.example.test:8443/x").host == "cdn.example.test"
    for url in ("https://cdn.example.test/x", "https://a.cdn.example.test:8443/x"):
        with pytest.raises(OutputUnusable):
            origins.checked(url)


def test_names_are_resolved_by_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolver(host: str, port: int, **_: Any) -> list[Any]:
        assert (host, port) == ("replicate.delivery", 443)
        stream, datagram = (
            (socket.AF_INET, socket.SOCK_STREAM, 6, ""),
            (socket.AF_INET, socket.SOCK_DGRAM, 17, ""),
        )
        return [(*stream, ("104.18.32.7", 443)), (*datagram, ("104.18.32.7", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)

    assert AllowedOrigins([REPLICATE]).resolve("replicate.delivery", 443) == ["104.18.32.7"]


def test_a_name_that_nobody_knows_is_a_connection_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(httpx.ConnectError):
        AllowedOrigins([REPLICATE]).resolve("replicate.delivery", 443)
