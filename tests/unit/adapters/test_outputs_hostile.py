"""Not a byte goes to a host that is not allowed, whether a URL, a redirect or a name server leads there."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from revela.adapters.replicate.origins import Lookup
from revela.adapters.replicate.outputs import ReplicateOutputs
from revela.domain.errors import OutputUnusable, ProviderTransient
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.unit.adapters.hostile_urls import FORBIDDEN, NOT_PUBLIC, REPLICATE, STAND_IN
from tests.unit.adapters.outgoing import outgoing
from tests.unit.adapters.scripted_server import http, sends, serving

PUBLIC = "104.18.32.7"
# What cannot stand in a header never arrives as a redirect.
REDIRECTS = [url for url in FORBIDDEN if url and not set(url) & set("\r\n\0")]


def outputs(*origins: str, lookup: Lookup | None = None) -> ReplicateOutputs:
    return ReplicateOutputs(
        origins=origins or (REPLICATE, STAND_IN), clock=FakeClock(), entropy=FakeEntropy(), lookup=lookup
    )


def download(fetching: ReplicateOutputs, url: str) -> None:
    with closing(fetching), fetching.download(url):
        raise AssertionError("there is no file")


def test_the_corpus_names_each_case_once() -> None:
    assert len(set(FORBIDDEN)) == len(FORBIDDEN) >= 80
    assert len(set(NOT_PUBLIC)) == len(NOT_PUBLIC)


def test_the_watch_sees_connections_and_look_ups() -> None:
    with serving(sends(http(b"a"))) as server, outgoing() as seen:
        socket.create_connection(("127.0.0.1", server.port)).close()

    assert seen == [("socket.getaddrinfo", "127.0.0.1"), ("socket.connect", ("127.0.0.1", server.port))]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_forbidden_url_opens_no_socket_and_asks_no_name_server(url: str) -> None:
    with outgoing() as seen, pytest.raises(OutputUnusable, match="forbidden_url"):
        download(outputs(), url)

    assert seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_even_to_where_outputs_are(status: int) -> None:
    response = http(b"", status=f"{status} Elsewhere", Location=f"{REPLICATE}/x")
    with (
        serving(sends(response)) as server,
        outgoing() as seen,
        pytest.raises(OutputUnusable, match=f"status_{status}"),
    ):
        download(outputs(server.origin, REPLICATE), f"{server.origin}/x")

    assert {where for event, where in seen if event == "socket.connect"} == {("127.0.0.1", server.port)}


@pytest.mark.parametrize("url", REDIRECTS)
def test_a_redirect_to_a_forbidden_url_opens_no_socket_there(url: str) -> None:
    response = http(b"", status="302 Found").replace(
        b"\r\n\r\n", b"\r\nLocation: " + url.encode() + b"\r\n\r\n"
    )
    with (
        serving(sends(response)) as server,
        outgoing() as seen,
        pytest.raises(OutputUnusable, match="status_302"),
    ):
        download(outputs(server.origin), f"{server.origin}/x")

    asked = [where for event, where in seen if event == "socket.connect"]
    assert asked == [("127.0.0.1", server.port)]
    assert {where for event, where in seen if event == "socket.getaddrinfo"} <= {"127.0.0.1"}


@pytest.mark.parametrize("address", NOT_PUBLIC)
@pytest.mark.parametrize("position", [0, 1])
def test_a_name_that_leads_inside_is_not_connected_to_even_beside_a_good_address(
    address: str, position: int
) -> None:
    answers = [PUBLIC, PUBLIC]
    answers[position] = address

    with outgoing() as seen, pytest.raises(OutputUnusable, match="forbidden_address"):
        download(outputs(lookup=lambda host, port: answers), "https://pbxt.replicate.delivery/x")

    assert seen == []


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_the_systems_own_answer_is_judged_as_well(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)

    with outgoing() as seen, pytest.raises(OutputUnusable, match="forbidden_address"):
        download(outputs(), "https://replicate.delivery/x")

    assert seen == []


def test_a_name_that_changes_its_address_is_judged_again_at_each_connection() -> None:
    """The first answer leads to a server that hangs up; by the repetition the name leads inside."""
    with serving(sends()) as server:
        answers = iter([["127.0.0.1"], ["169.254.169.254"]])
        fetching = outputs(f"http://localhost:{server.port}", lookup=lambda host, port: next(answers))
        with outgoing() as seen, pytest.raises(OutputUnusable, match="forbidden_address"):
            download(fetching, f"http://localhost:{server.port}/x")

    assert [where for event, where in seen if event == "socket.connect"] == [("127.0.0.1", server.port)]


def test_the_address_that_was_judged_is_the_one_connected_to() -> None:
    """Whoever resolved the name again at the connection would ask a name server that may say otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    fetching = outputs(f"http://localhost:{port}", lookup=lambda host, port: ["127.0.0.1"])

    with outgoing() as seen, pytest.raises(ProviderTransient):
        download(fetching, f"http://localhost:{port}/x")

    assert {where for event, where in seen if event == "socket.getaddrinfo"} == {"127.0.0.1"}
    assert {where for event, where in seen if event == "socket.connect"} == {("127.0.0.1", port)}
