from __future__ import annotations

import copy
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from revela.domain.errors import (
    JudgeUnavailable,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnavailable,
    Transient,
)
from tests.fakes import FakeClock, FakePorts
from tests.simulation.skew import SkewedClock

Result = TypeVar("Result")

# The provider's requests, beside AWS's calls; the rest of what the fakes show is our own arithmetic.
PROVIDER = ("SimulatedReplicate.", "FakeOutputs.")
# Models at the provider as well, or a service like it: whatever befalls them, their port says one word.
JUDGES = ("SimulatedJudge.",)
PICTURES = ("FakePictures.", "FakePhotoFiles.")
CREATES = ("SimulatedReplicate.create_prediction", "SimulatedReplicate.create_training")


class Killed(BaseException):
    """The process ended here: a crash, or its function's time-out."""


@dataclass
class Chances:
    """How likely each trouble is, at every single call to the outside.

    `overtaken`: others go first. `stalled`: the call takes as long as `stall_max`. `aws` and `provider`:
    the call is refused, or takes effect and is not answered. `twins`: a process is started twice.
    """

    overtaken: float = 0.0
    stalled: float = 0.0
    killed: float = 0.0
    aws: float = 0.0
    provider: float = 0.0
    twins: float = 0.0
    skew_max: timedelta = timedelta(0)
    stall_max: timedelta = timedelta(seconds=90)


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of a process: its result, or the error that it ended with."""

    result: Result | None
    error: BaseException | None


def expect(outcome: Outcome[Any], *expected: type[BaseException]) -> None:
    """Raise what no process should end with."""
    if outcome.error is not None and not isinstance(outcome.error, (Killed, Transient, *expected)):
        raise outcome.error


class ProcessClock(SkewedClock):
    """The clock as one process reads it; sleeping lets others go on."""

    def __init__(self, true: FakeClock, skew: timedelta, sleep: Callable[[datetime], None]) -> None:
        super().__init__(true, skew)
        self._sleep = sleep

    def sleep_until(self, when: datetime) -> None:
        if when > self.now():
            self._sleep(when - self.skew)


class Process:
    """A thread that runs only while it has been given its turn.

    `killed`: it did not come to its end; `failed` names the calls that were not answered well. `twin`:
    nobody hears of its end.
    """

    def __init__(self, name: str, ends_at: datetime, run: Callable[[], None], *, twin: bool) -> None:
        self.name = name
        self.ends_at = ends_at
        self.twin = twin
        self.wakes_at: datetime | None = None
        self.over = False
        self.killed = False
        self.failed: list[str] = []
        self._go, self._stop = threading.Semaphore(0), threading.Semaphore(0)
        self._run = run
        threading.Thread(target=self._body, name=name, daemon=True).start()

    def take_turn(self) -> None:
        """Run until it pauses or is over."""
        self._go.release()
        self._stop.acquire()

    def pause(self) -> None:
        self._stop.release()
        self._go.acquire()

    def _body(self) -> None:
        self._go.acquire()
        try:
            self._run()
        finally:
            self.over = True
            self._stop.release()


class Processes:
    """Runs work as Lambda does, any number at once: exactly one goes on at a time, from call to call.

    Which one, and what befalls it there, chance decides; so one seed is one interleaving.
    """

    def __init__(self, ports: FakePorts, chance: random.Random) -> None:
        self.chances = Chances()
        self.counts: Counter[str] = Counter()
        # What each kind of process called, and how long a call takes when it is not stalled.
        self.calls: Counter[tuple[str, str]] = Counter()
        self.takes: Callable[[str], timedelta] | None = None
        self._ports = ports
        self._chance = chance
        self._live: list[Process] = []
        self._current: Process | None = None
        self._doomed = False
        self._bug: BaseException | None = None
        ports.calls.before = self._before
        ports.calls.after = self._after

    def __len__(self) -> int:
        return len(self._live)

    @property
    def current(self) -> Process | None:
        """Return whose turn it is."""
        return self._current

    def spawn(
        self,
        name: str,
        work: Callable[[FakePorts, datetime], Result],
        *,
        timeout: timedelta,
        then: Callable[[Outcome[Result]], None] = lambda _: None,
        may_have_twin: bool = True,
        is_twin: bool = False,
    ) -> None:
        """Begin `work`; it is given its ports, and when it will be stopped by its own clock.

        `then` hears of its end, unless it is a twin: what SQS or a schedule delivered once too often.
        """
        ports = copy.copy(self._ports)
        skew = self.chances.skew_max * self._chance.uniform(-1, 1)
        ports.clock = ProcessClock(self._ports.clock, skew, self._sleep)
        ends_at = self._ports.clock.now() + timeout

        def run() -> None:
            outcome: Outcome[Result]
            try:
                outcome = Outcome(work(ports, ends_at + skew), None)
            except (Killed, Exception) as error:  # noqa: BLE001 - a process's edge
                outcome = Outcome(None, error)
            if isinstance(outcome.error, AssertionError):
                # Whoever watches the stores found something, in whichever process, twins among them.
                self._bug = outcome.error
            elif not self._doomed:
                try:
                    then(outcome)
                except Exception as error:  # noqa: BLE001 - a thread's edge: raised again by who gave it its turn
                    self._bug = error

        self._live.append(Process(name, ends_at, run, twin=is_twin))
        if may_have_twin and self._chance.random() < self.chances.twins:
            self.counts["twins"] += 1
            self.spawn(name, work, timeout=timeout, may_have_twin=False, is_twin=True)

    def go_on(self) -> bool:
        """Let one process go on to its next pause; False when all sleep, or there is none."""
        now = self._ports.clock.now()
        awake = [p for p in self._live if p.wakes_at is None or min(p.wakes_at, p.ends_at) <= now]
        if not awake:
            return False
        self._turn(self._chance.choice(awake))
        return True

    def next_wake(self) -> datetime | None:
        """Return when the first sleeper goes on."""
        return min((min(p.wakes_at, p.ends_at) for p in self._live if p.wakes_at is not None), default=None)

    def close(self) -> None:
        """End all that still runs."""
        self._doomed = True
        while self._live:
            self._turn(self._live[0])

    def _turn(self, process: Process) -> None:
        process.wakes_at = None
        self._current = process
        process.take_turn()
        self._current = None
        if process.over:
            self._live.remove(process)
        if self._bug is not None:
            bug, self._bug = self._bug, None
            raise bug

    def _sleep(self, until: datetime) -> None:
        process = self._current
        assert process is not None, "only processes sleep"
        process.wakes_at = until
        process.pause()
        self._may_live(process)

    def _may_live(self, process: Process) -> None:
        if self._doomed:
            raise Killed
        if self._ports.clock.now() > process.ends_at:
            self.counts["timed out"] += 1
            raise Killed

    def _dice(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability

    def _before(self, call: str) -> None:
        with self._calling(call) as process:
            if process is None:
                return
            self.calls[process.name, call] += 1
            self._wait_before(call, process)
            self._may_live(process)
            self._may_be_killed()
            if call.startswith(JUDGES):
                if self._dice(self.chances.provider):
                    self.counts["judge refused"] += 1
                    raise JudgeUnavailable("503")
            elif call.startswith(PROVIDER):
                if self._dice(self.chances.provider):
                    self.counts["provider refused"] += 1
                    raise self._provider_refusal(call)
            elif self._dice(self.chances.aws):
                self.counts["aws refused"] += 1
                raise Transient(f"{call} was refused")

    def _after(self, call: str) -> None:
        with self._calling(call) as process:
            if process is None:
                return
            if self._dice(self.chances.overtaken):
                process.pause()
            self._may_live(process)
            self._may_be_killed()
            if call.startswith(JUDGES):
                if self._dice(self.chances.provider):
                    self.counts["judge unanswered"] += 1
                    raise JudgeUnavailable("connection reset after the question was sent")
            elif call.startswith(PROVIDER):
                if self._dice(self.chances.provider):
                    self.counts["provider unanswered"] += 1
                    raise ProviderTransient("connection reset after the request was sent")
            elif self._dice(self.chances.aws):
                self.counts["aws unanswered"] += 1
                raise Transient(f"{call} was not answered")

    @contextmanager
    def _calling(self, call: str) -> Iterator[Process | None]:
        """Yield whose call it is, if it is one to the outside, and note what becomes of it."""
        process = None if call.startswith(PICTURES) else self._current
        try:
            yield process
        except Killed:
            assert process is not None
            process.killed = True
            raise
        except Exception:
            assert process is not None
            process.failed.append(call)
            raise

    def _wait_before(self, call: str, process: Process) -> None:
        if self.takes is not None:
            process.wakes_at = self._ports.clock.now() + self.takes(call)
            process.pause()
        elif self._dice(self.chances.stalled):
            stall = self.chances.stall_max * self._chance.random()
            process.wakes_at = self._ports.clock.now() + stall
            process.pause()
        elif self._dice(self.chances.overtaken):
            process.pause()

    def _may_be_killed(self) -> None:
        if self._dice(self.chances.killed):
            self.counts["killed"] += 1
            raise Killed

    def _provider_refusal(self, call: str) -> Exception:
        if call not in CREATES:
            return self._chance.choice((ProviderTransient("502"), ProviderThrottled("slow down", 1)))
        return self._chance.choice(
            (
                ProviderTransient("connection reset"),
                ProviderUnavailable("503"),
                ProviderThrottled("slow down", 5),
                ProviderThrottled("slow down"),
            )
        )
