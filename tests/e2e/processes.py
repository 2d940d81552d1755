"""What runs and listens on this machine, read from /proc."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
LISTENING = "0A"
LOOPBACK = "0100007F"
PATIENCE_S = 20
INTERVAL_S = 0.05


def family(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    parents = dict(_parents())
    found = {pid}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def workers(ancestor: int, function: str) -> set[int]:
    """Return the processes below `ancestor` that the embedded AWS runs a function in.

    It starts each from a folder that is named after the function.
    """
    folder = f"/ministack-lambda-{function}-".encode()
    return {pid for pid in family(ancestor) if folder in _command_line(pid)}


def kill(pids: set[int]) -> None:
    """End processes as a power cut would; return when they are gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not alive(pids))


def cpu_ticks(pid: int) -> int:
    """Return how much a process has computed so far; 0 when it has ended."""
    with suppress(OSError):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0


def connected(pids: set[int]) -> set[int]:
    """Return those that hold a socket."""
    return {pid for pid in pids if any(_sockets(pid))}


def alive(pids: set[int]) -> set[int]:
    return pids & {pid for pid, _ in _parents()}


def listening_addresses(pids: set[int]) -> set[tuple[str, int]]:
    """Return address, as hexadecimal as the kernel prints it, and port of every socket that accepts."""
    sockets = {socket for pid in pids for socket in _sockets(pid)}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in sockets:
                address, _, port = fields[1].rpartition(":")
                found.add((address, int(port, 16)))
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(INTERVAL_S)
    return True


def _command_line(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""  # it has ended since


def _parents() -> Iterator[tuple[int, int]]:
    """Yield each process with its parent, but for zombies: they hold nothing any more."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    yield int(entry.name), int(parent)


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                target = os.readlink(descriptor)
                if target.startswith("socket:["):
                    yield target.removeprefix("socket:[").removesuffix("]")
