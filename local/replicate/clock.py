"""The stand-in's own time, and what is due in it."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

Action = Callable[[float], None]


class Clock:
    """Seconds since the epoch, as real time runs, scaled and shifted.

    `now = started + (real - started) * scale + offset`, so that at scale 1 an offset alone tells the
    stand-in's time from the machine's.
    """

    def __init__(self, *, scale: float = 1.0, real_time: Callable[[], float] = time.time) -> None:
        if scale <= 0:
            raise ValueError("the time scale must be above zero")
        self.scale = scale
        self.offset_s = 0.0
        self._real_time = real_time
        self._started_s = real_time()

    def now_s(self) -> float:
        return self._started_s + (self._real_time() - self._started_s) * self.scale + self.offset_s

    def now(self) -> datetime:
        return moment(self.now_s())

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self.offset_s += seconds

    def reset(self) -> None:
        self.offset_s = 0.0

    def real_delay_s(self, due_s: float) -> float:
        """Real seconds until the clock shows `due_s`; zero when it is past."""
        return max(0.0, (due_s - self.now_s()) / self.scale)


class Scheduler:
    """Runs actions in the order of their due times.

    Each action is given its own due time, not the time at which it happens to run: after an advance of
    an hour a prediction still starts, finishes and is deleted at the right moments of that hour.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._sleepers: set[asyncio.Event] = set()

    def at(self, due_s: float, action: Action) -> None:
        heapq.heappush(self._due, (due_s, next(self._order), action))
        self._changed.set()

    def run_due(self) -> None:
        while self._due and self._due[0][0] <= self._clock.now_s():
            due_s, _, action = heapq.heappop(self._due)
            action(due_s)
        self._changed.set()

    async def run_forever(self) -> None:
        while True:
            self.run_due()
            self._changed.clear()
            delay_s = self._clock.real_delay_s(self._due[0][0]) if self._due else None
            try:
                await asyncio.wait_for(self._changed.wait(), delay_s)
            except TimeoutError:
                continue

    async def sleep(self, seconds: float) -> None:
        """Until so many seconds have passed, or everything that was due is forgotten."""
        woken = asyncio.Event()
        self._sleepers.add(woken)
        self.at(self._clock.now_s() + seconds, lambda _: woken.set())
        try:
            await woken.wait()
        finally:
            self._sleepers.discard(woken)

    def clear(self) -> None:
        self._due.clear()
        for woken in self._sleepers:
            woken.set()
        self._changed.set()


def moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)


def iso(epoch_s: float) -> str:
    """Milliseconds and `Z`, the precision that Replicate's replies carry."""
    return moment(epoch_s).isoformat(timespec="milliseconds").replace("+00:00", "Z")
