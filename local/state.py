"""What a running engine tells everybody else: one JSON file in its state directory."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

STATE_FILE = "state.json"
LOCK_FILE = "lock"
LOCK_ATTEMPTS = 20
LOCK_INTERVAL_S = 0.05


class NotRunning(Exception):
    """No engine runs in that state directory."""


class AlreadyRunning(Exception):
    """Another engine uses that state directory."""


@dataclass(frozen=True)
class State:
    """Addresses and names of one running engine.

    api_host          for clients that cannot resolve *.localhost: send it as Host to aws_endpoint_url
    tables            generations, models, credits, ledger, control -> table name
    queues            logical id in template.yaml -> queue URL
    functions         folder in functions/ -> Lambda function name
    webhook_secret    what the stand-in signs webhooks with; None with the real Replicate
    replicate_token   the stand-in's API token; None with any other server
    """

    api_url: str
    api_host: str
    replicate_url: str
    aws_endpoint_url: str
    region: str
    bucket: str
    tables: dict[str, str]
    queues: dict[str, str]
    functions: dict[str, str]
    webhook_secret: str | None
    replicate_token: str | None
    event_bus: str
    secrets: dict[str, str]
    stack: str
    issuer_url: str
    clock_offset_s: int
    logs: str
    pid: int


def write(state_dir: Path, state: State) -> None:
    """Replace the file as a whole: a reader never sees half of it."""
    draft = state_dir / f"{STATE_FILE}.draft"
    draft.write_text(json.dumps(asdict(state), indent=2) + "\n")
    draft.replace(state_dir / STATE_FILE)


def read(state_dir: Path) -> State:
    """Return the state of the engine that runs there.

    Raises:
        NotRunning: there is none; a file left by a killed one does not count.
    """
    try:
        # A process id alone might by now be somebody else's.
        with _lock(state_dir, shared=True):
            raise NotRunning(f"no engine runs in {state_dir}; start one with: make up")
    except BlockingIOError:
        pass
    try:
        return State(**json.loads((state_dir / STATE_FILE).read_text()))
    except FileNotFoundError:
        raise NotRunning(f"the engine of {state_dir} is starting or stopping") from None


@contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Be the one engine of a state directory; the lock goes with the process, however that ends.

    Raises:
        AlreadyRunning: another one is.
    """
    for _ in range(LOCK_ATTEMPTS):
        try:
            with _lock(state_dir, shared=False):
                yield
                return
        except BlockingIOError:
            # Whoever reads the state holds the lock for an instant.
            time.sleep(LOCK_INTERVAL_S)
    raise AlreadyRunning(f"an engine runs in {state_dir} already; end it with: make down")


def forget(state_dir: Path) -> None:
    (state_dir / STATE_FILE).unlink(missing_ok=True)


def with_clock_offset(state: State, offset_s: int) -> State:
    return replace(state, clock_offset_s=offset_s)


@contextmanager
def _lock(state_dir: Path, *, shared: bool) -> Iterator[None]:
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / LOCK_FILE).open("a") as file:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        yield
