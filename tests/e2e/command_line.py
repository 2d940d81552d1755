"""`python -m local`, run as its users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from local import engine
from local.state import State

TIMEOUT_S = 180


def run(
    *arguments: str, state_dir: Path, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    # Whoever runs the tests may have set up the real Replicate; tests choose their own.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REPLICATE_")}
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments, "--state-dir", str(state_dir)],
        cwd=engine.ROOT,
        env={**clean, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def local(*arguments: str, state_dir: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Return what a command printed; it must succeed."""
    done = run(*arguments, state_dir=state_dir, env=env, stdin=stdin)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def api(current: State, token: str | None = None) -> httpx.Client:
    """Return a client of the API, by address: not every resolver knows names under .localhost."""
    headers = {"Host": current.api_host}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Client(base_url=current.aws_endpoint_url, headers=headers, timeout=60)
