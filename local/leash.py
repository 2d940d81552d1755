"""Run a server that ends when its holder ends, however that happens.

    python leash.py COMMAND...

The holder keeps the other end of standard input open. When it closes, because the holder wants it so, was
killed or crashed, the server's whole process group ends: first asked to, then made to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

GRACE_S = 5


def main(command: list[str]) -> int:
    # Ctrl-C and a closed terminal reach every process of the foreground group; here only the holder decides.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_listen_to_signals
    )
    threading.Thread(target=_end_with_holder, args=(server,), daemon=True).start()
    status = server.wait()
    # What the server started (Lambda workers, for one) has no reason to outlive it.
    _signal_group(server.pid, signal.SIGKILL)
    return status


def _listen_to_signals() -> None:
    """Ignored signals stay ignored across exec, and the server must hear them."""
    for heard in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(heard, signal.SIG_DFL)


def _end_with_holder(server: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    _signal_group(server.pid, signal.SIGTERM)
    try:
        server.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        _signal_group(server.pid, signal.SIGKILL)


def _signal_group(leader_pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader_pid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
