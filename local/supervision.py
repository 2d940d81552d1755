"""`up` and `down`: the engine's life as the command line sees it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from local import engine, identity, state
from local.processes import Server, ServerFailed
from local.state import AlreadyRunning, NotRunning, State

START_TIMEOUT_S = 180
STOP_TIMEOUT_S = 30
EXIT_TIMEOUT_S = 2
POLL_INTERVAL_S = 0.1
WATCH_INTERVAL_S = 1
STDIN = 0
READY_USERS = ("alice", "bob")


def up(asked: argparse.Namespace) -> int:
    """Run the engine until interrupted or left alone, or, detached, return once it runs."""
    console = Console(highlight=False, soft_wrap=True)
    if asked.detach:
        console.print(_summary(_run_detached(asked.state_dir.resolve()), asked.state_dir))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    options = engine.Options(
        state_dir=asked.state_dir,
        port=asked.port,
        replicate_port=asked.replicate_port,
        issuer_port=asked.issuer_port,
        time_scale=asked.time_scale,
        parameters=dict(asked.parameter),
    )
    with suppress(KeyboardInterrupt), engine.running(options, _progress(console)) as (current, servers):
        console.print(_summary(current, asked.state_dir))
        console.print("\nCtrl-C stops all of it.")
        _watch(servers, attended(asked.with_parent))
    return 0


def down(asked: argparse.Namespace) -> int:
    """End the engine; return when it and its servers are gone."""
    current = state.read(asked.state_dir)
    os.kill(current.pid, signal.SIGTERM)

    def gone() -> bool:
        with suppress(AlreadyRunning), state.hold(asked.state_dir):
            return True
        return False

    _wait(gone, STOP_TIMEOUT_S, f"process {current.pid} does not end")
    # It has let go of everything; what is left is its own exit, which a careless parent may never collect.
    with suppress(ServerFailed):
        _wait(lambda: not _exists(current.pid), EXIT_TIMEOUT_S, "not collected")
    return 0


def attended(with_parent: bool) -> Callable[[], bool]:
    """Return what tells whether the terminal, if there was one, and a parent that matters are still there.

    Neither sends a signal for certain: make is killed without its children, and a terminal that is gone
    tells no one but its session's leader, which may be make.
    """
    parent, has_terminal = os.getppid(), os.isatty(STDIN)
    return lambda: (not with_parent or os.getppid() == parent) and (not has_terminal or os.isatty(STDIN))


def _run_detached(state_dir: Path) -> State:
    state_dir.mkdir(parents=True, exist_ok=True)
    log = state_dir / "engine.log"
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--detach", "--with-parent")]
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "local", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def started() -> bool:
        if supervisor.poll() is not None:
            raise ServerFailed(f"the engine did not start:\n{log.read_text().strip()}")
        try:
            return state.read(state_dir).pid == supervisor.pid
        except NotRunning:
            return False

    _wait(started, START_TIMEOUT_S, f"the engine does not start; its log: {log}")
    return state.read(state_dir)


def _watch(servers: Sequence[Server], wanted: Callable[[], bool]) -> None:
    while wanted():
        for server in servers:
            if not server.running:
                raise ServerFailed(f"{server.name} ended; its log: {server.log}")
        time.sleep(WATCH_INTERVAL_S)


def _wait(condition: Callable[[], bool], timeout_s: float, complaint: str) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > give_up_at:
            raise ServerFailed(complaint)
        time.sleep(POLL_INTERVAL_S)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _progress(console: Console) -> Callable[[str], None]:
    started_at = time.monotonic()
    return lambda step: console.print(f"[dim]{time.monotonic() - started_at:5.1f} s[/dim]  {step}")


def _summary(current: State, state_dir: Path) -> str:
    lines = [
        "",
        f"[bold]API[/bold]        {current.api_url}",
        f"[bold]Replicate[/bold]  {current.replicate_url}",
        f"[bold]AWS[/bold]        {current.aws_endpoint_url}",
        f"[bold]Logs[/bold]       {current.logs}",
        "[bold]Judges[/bold]     prompts in doubt and images: models of the same Replicate; "
        "famous people in photos: nobody, for want of Rekognition",
        "",
    ]
    for name in READY_USERS:
        signed = identity.sign_token(state_dir.resolve(), current.issuer_url, name)
        lines.append(f"[bold]Token of {name}[/bold]\n{signed}")
    token = "$(.venv/bin/python -m local token alice)"
    lines.append(
        f'\n[bold]Try it[/bold]\ncurl -H "Authorization: Bearer {token}" {current.api_url}/v1/account'
    )
    return "\n".join(lines)
