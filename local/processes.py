"""Servers of the engine: started on a leash, logging to files, asked until they answer."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
PROBE_INTERVAL_S = 0.05


class ServerFailed(Exception):
    """A server ended or kept silent; the message names its log."""


@dataclass(frozen=True)
class Server:
    name: str
    leash: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        return self.leash.poll() is None


def start(name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path) -> Server:
    """Start a server that ends with this process at the latest."""
    with log.open("ab") as output:
        leash = subprocess.Popen(
            [sys.executable, str(LEASH), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
        )
    return Server(name, leash, log)


def stop(servers: Sequence[Server]) -> None:
    """End the servers and everything they started; return when all are gone."""
    for server in servers:
        if server.leash.stdin is not None:
            with suppress(BrokenPipeError):
                server.leash.stdin.close()
    for server in servers:
        server.leash.wait(timeout=STOP_TIMEOUT_S)


def wait_until_answers(server: Server, url: str) -> None:
    """Return once GET `url` answers 200. Raises ServerFailed."""
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while server.running:
        with suppress(OSError), urllib.request.urlopen(url, timeout=START_TIMEOUT_S):
            return
        if time.monotonic() > give_up_at:
            raise ServerFailed(f"{server.name} does not answer at {url}; its log: {server.log}")
        time.sleep(PROBE_INTERVAL_S)
    raise ServerFailed(f"{server.name} ended with status {server.leash.returncode}; its log: {server.log}")


def choose_port(wanted: int | None) -> int:
    """Return a port of 127.0.0.1 that is free now: the wanted one, or any.

    Raises:
        ServerFailed: the wanted port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as error:
            raise ServerFailed(f"port {wanted} of 127.0.0.1 is taken") from error
        port: int = probe.getsockname()[1]
    return port
