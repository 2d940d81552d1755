"""The webhook URL of a check: each way in which Replicate could not post to it is really there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local.check import webhook_address
from local.check.causes import Cause
from local.check.report import Report, Step
from tests.contract.scripted_server import Answer, Request, certificate, serving

UNPROVEN = Answer(401, {"code": "webhook_unproven"})
ADDRESS, CERTIFICATE, DOOR = webhook_address.STEPS[1:]


def our_door(request: Request) -> Answer:
    assert request.body == b"{}"
    is_door = (request.method, request.path) == ("POST", "/api/webhooks/generation")
    return UNPROVEN if is_door else Answer(404)


def checked(url: str | None, *, from_this_machine: bool = False, **known: Any) -> list[Step]:
    report = Report(Console(file=StringIO()))
    webhook_address.check(report, url, from_this_machine=from_this_machine, **known)
    return report.steps


def failure(steps: list[Step]) -> Step:
    """Return the one step that failed; all after it were left out."""
    (failed,) = [step for step in steps if step.outcome == "failed"]
    after = steps[steps.index(failed) + 1 :]
    assert {step.outcome for step in after} <= {"skipped"}
    return failed


@pytest.fixture
def door() -> Iterator[int]:
    with serving(our_door) as port:
        yield port


def test_our_own_door_on_this_machine_passes_without_tls(door: int) -> None:
    for host in ("127.0.0.1", "api.execute-api.localhost"):
        steps = checked(f"http://{host}:{door}", from_this_machine=True)
        assert [step.outcome for step in steps] == ["passed"] * 3


def test_no_webhooks_are_no_failure() -> None:
    (step,) = checked(None)
    assert (step.outcome, "polling" in step.seen) == ("skipped", True)


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://api.example.com:port",
        "https://api.example.com/?stage=dev",
        "https://api.example.com/#top",
        "https://api.example.com/api/webhooks/generation",
    ],
)
def test_a_malformed_base_is_told(url: str) -> None:
    assert failure(checked(url)).cause is Cause.WEBHOOK_URL_MALFORMED


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    failed = failure(checked("https://user:hunter2@api.example.com"))
    assert failed.cause is Cause.WEBHOOK_URL_MALFORMED
    assert "hunter2" not in failed.seen


@pytest.mark.parametrize("from_this_machine", [True, False])
def test_a_url_without_tls_is_told(*, from_this_machine: bool) -> None:
    steps = checked("http://api.example.com", from_this_machine=from_this_machine)
    assert failure(steps).cause is Cause.WEBHOOK_NOT_TLS


def test_without_tls_not_even_this_machine_will_do_for_the_real_replicate(door: int) -> None:
    assert failure(checked(f"http://127.0.0.1:{door}")).cause is Cause.WEBHOOK_NOT_TLS


@pytest.mark.parametrize(
    "address",
    ["10.0.0.8", "192.168.1.2", "172.16.0.1", "169.254.169.254", "100.64.0.1", "127.0.0.1", "::1", "fd00::1"],
)
def test_an_address_that_is_not_public_is_told(address: str) -> None:
    failed = failure(checked("https://api.example.com", lookup=lambda *_: ["8.8.8.8", address]))
    assert (failed.name, failed.cause) == (ADDRESS, Cause.WEBHOOK_NOT_PUBLIC)
    assert address in failed.seen


def test_a_private_address_is_not_public_for_a_stand_in_either() -> None:
    steps = checked("https://10.0.0.8", from_this_machine=True)
    assert failure(steps).cause is Cause.WEBHOOK_NOT_PUBLIC


def test_localhost_is_not_public() -> None:
    assert failure(checked("https://api.localhost")).cause is Cause.WEBHOOK_NOT_PUBLIC


def test_a_name_without_an_address_is_told() -> None:
    def no_such_name(*_: object) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    failed = failure(checked("https://api.example.com", lookup=no_such_name))
    assert (failed.name, failed.cause) == (ADDRESS, Cause.WEBHOOK_UNRESOLVED)


def test_a_trusted_certificate_and_our_door_behind_it_pass(tmp_path: Path) -> None:
    made = certificate(tmp_path, "api.example.com")
    with serving(our_door, tls=made.serving) as port:
        steps = checked(
            f"https://api.example.com:{port}",
            from_this_machine=True,
            lookup=lambda *_: ["127.0.0.1"],
            tls=made.trusting,
        )
    assert [(step.name, step.outcome) for step in steps] == [(n, "passed") for n in webhook_address.STEPS]
    assert "valid until 20" in steps[2].seen


@pytest.mark.parametrize("fault", ["untrusted", "expired", "another name"])
def test_a_certificate_that_proves_nothing_is_told(fault: str, tmp_path: Path) -> None:
    name = "other.example.com" if fault == "another name" else "api.example.com"
    made = certificate(tmp_path, name, expired=fault == "expired")
    with serving(our_door, tls=made.serving) as port:
        steps = checked(
            f"https://api.example.com:{port}",
            from_this_machine=True,
            lookup=lambda *_: ["127.0.0.1"],
            tls=None if fault == "untrusted" else made.trusting,
        )
    failed = failure(steps)
    assert (failed.name, failed.cause) == (CERTIFICATE, Cause.WEBHOOK_CERTIFICATE)
    said = {"untrusted": "self-signed", "expired": "expired", "another name": "Hostname mismatch"}[fault]
    assert said in failed.seen


def test_plain_http_behind_https_is_told(door: int) -> None:
    failed = failure(checked(f"https://127.0.0.1:{door}", from_this_machine=True))
    assert (failed.name, failed.cause) == (CERTIFICATE, Cause.WEBHOOK_CERTIFICATE)


@pytest.mark.parametrize(("scheme", "name"), [("http", DOOR), ("https", CERTIFICATE)])
def test_a_closed_port_is_told(scheme: str, name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        port = taken.getsockname()[1]
        failed = failure(checked(f"{scheme}://127.0.0.1:{port}", from_this_machine=True))
    assert (failed.name, failed.cause) == (name, Cause.WEBHOOK_UNREACHABLE)


@pytest.mark.parametrize(
    ("answer", "cause", "said"),
    [
        (Answer(404), Cause.WEBHOOK_NOT_OURS, "404"),
        (Answer(200, {"ok": True}), Cause.WEBHOOK_NOT_OURS, "200"),
        (Answer(403), Cause.WEBHOOK_NOT_OURS, "403"),
        (Answer(401, {"message": "Unauthorized"}), Cause.WEBHOOK_NOT_OURS, "asks for a login"),
        (Answer(401, b"<html>"), Cause.WEBHOOK_NOT_OURS, "asks for a login"),
        (Answer(308, headers={"Location": "https://www.example.com"}), Cause.WEBHOOK_NOT_OURS, "redirect"),
        (Answer(502), Cause.WEBHOOK_UNREACHABLE, "502"),
    ],
)
def test_whoever_does_not_answer_as_our_door_is_told(answer: Answer, cause: Cause, said: str) -> None:
    with serving(lambda _: answer) as port:
        failed = failure(checked(f"http://127.0.0.1:{port}", from_this_machine=True))
    assert (failed.name, failed.cause) == (DOOR, cause)
    assert said in failed.seen


def test_a_base_with_a_path_is_knocked_at_below_it() -> None:
    asked: list[str] = []

    def script(request: Request) -> Answer:
        asked.append(f"{request.headers['Host'].partition(':')[0]}{request.path}")
        return UNPROVEN

    with serving(script) as port:
        steps = checked(f"http://stage.localhost:{port}/dev/", from_this_machine=True)
    assert [step.outcome for step in steps] == ["passed"] * 3
    assert asked == ["stage.localhost/dev/api/webhooks/generation"]
