"""Power cuts and a closed door, and what must be true when they are over."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from PIL import Image

from local import aws
from local.state import State
from tests.e2e.processes import connected, cpu_ticks, kill, workers
from tests.e2e.stand_in import StandIn
from tests.e2e.users import Json, User

PULLED_PER_LOOK = 0.3


def pull(current: State, folder: str) -> None:
    """Kill everything that runs a function."""
    running = workers(current.pid, current.functions[folder])
    assert running, f"nothing runs {folder}"
    kill(running)


class Plugs:
    """Finds out who of the workers of `folders` is at work, and kills one of them now and then."""

    def __init__(self, current: State, folders: Sequence[str], *, seed: int) -> None:
        self.pulled = 0
        self._current = current
        self._folders = folders
        self._random = random.Random(seed)
        self._ticks: dict[int, int] = {}

    def busy(self) -> set[int]:
        """Return the workers that have computed anything since the last call."""
        functions = (self._current.functions[folder] for folder in self._folders)
        running = {pid for name in functions for pid in workers(self._current.pid, name)}
        before, self._ticks = self._ticks, {pid: cpu_ticks(pid) for pid in running}
        return {pid for pid, ticks in self._ticks.items() if ticks != before.get(pid)}

    def pull_sometimes(self, busy: set[int]) -> None:
        # Who has talked to nobody yet is still starting, and the embedded AWS ends all workers of a
        # function when one of them does not start.
        at_work = sorted(connected(busy))
        if at_work and self._random.random() < PULLED_PER_LOOK:
            kill({self._random.choice(at_work)})
            self.pulled += 1


@contextmanager
def door_closed(current: State) -> Iterator[None]:
    """Let the webhooks' function run nowhere: whoever knocks is turned away."""
    lambdas = aws.client("lambda", current.aws_endpoint_url)
    function = current.functions["replicate_webhook"]
    lambdas.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        lambdas.delete_function_concurrency(FunctionName=function)


def pixels(file: bytes) -> bytes:
    with Image.open(io.BytesIO(file)) as image:
        return image.tobytes()


def assert_saved(user: User, done: Json, predictions: Sequence[Json], stand_in: StandIn) -> None:
    """Hold what the user downloads against what was made, and its price against one prediction."""
    assert done["status"] == "succeeded", done
    (prediction,) = predictions
    made = [stand_in.output(url) for url in prediction["output"]]
    shown = user.generation(done["id"])["outputs"]
    # Files differ in what each tells of its making: pixels are what was made.
    assert [pixels(httpx.get(output["url"]).content) for output in shown] == [pixels(file) for file in made]
    assert done["credits"] == {"estimated": len(made), "held": 0, "charged": len(made), "refunded": 0}
