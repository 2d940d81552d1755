"""`python -m local.replicate` as a process: its options, its port, its end."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.contract.replicate_stand_in import ROOT, TOKEN, server

AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}


def test_it_listens_on_the_port_it_announces_and_stops_when_told() -> None:
    with server() as origin:
        assert httpx.get(f"{origin}/_health").json() == {"status": "ok"}
        port = httpx.URL(origin).port
    assert port is not None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_urls_begin_with_the_origin_it_is_told() -> None:
    body = {"version": "black-forest-labs/flux-schnell", "input": {"prompt": ""}}
    with server("--origin", "http://replicate.localhost:9999/", "--time-scale", "50") as origin:
        reply = httpx.post(
            f"{origin}/v1/predictions", json=body, headers={**AUTHORIZATION, "Prefer": "wait"}
        ).json()

    assert reply["urls"]["get"].startswith("http://replicate.localhost:9999/v1/predictions/")
    assert reply["output"][0].startswith("http://replicate.localhost:9999/delivery/")


def test_the_log_file_tells_of_requests_and_webhooks_without_secrets(tmp_path: Path) -> None:
    log = tmp_path / "replicate.log"
    body = {
        "version": "black-forest-labs/flux-schnell",
        "input": {"prompt": "a private matter"},
        "webhook": "http://127.0.0.1:9/hook?token=secret",
        "webhook_events_filter": ["start"],
    }
    with server("--log-file", str(log), "--time-scale", "50") as origin:
        httpx.post(
            f"{origin}/v1/predictions?x=secret", json=body, headers={**AUTHORIZATION, "Prefer": "wait"}
        )
    text = log.read_text()

    assert "POST /v1/predictions 201" in text
    assert "webhook start" in text
    for secret in (TOKEN, "whsec_", "secret", "private"):
        assert secret not in text


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "local.replicate", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert ended.stderr.count("\n") == 1
