"""The queue of start messages, the rows that are due later, and the event source between them and workers."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.limiter.virtual_time import Process, VirtualTime

BATCH = 10
# As template.yaml has it: reconcile_jobs runs every minute and visits so many rows at most.
RECONCILE_EVERY_S = 60.0
RECONCILE_ROWS = 1000
# A poll that finds messages, and a start: cold ones are slower.
DELIVERY_S = (0.01, 0.3)
BATCH_WINDOW_S = 0.0


@dataclass
class Job:
    number: int
    refusals: int = 0


class Backlog:
    def __init__(self, time: VirtualTime, chance: random.Random, *, workers: int) -> None:
        self.postponed = 0
        self.work: Callable[[list[Job]], Process[None]]
        self._time = time
        self._chance = chance
        self._idle = workers
        self._window_open = False
        self._queued: deque[Job] = deque()
        self._due: list[tuple[float, int, Job]] = []
        self._numbers = 0
        time.begin(self._reconcile(), after_s=RECONCILE_EVERY_S)

    def add(self, jobs: int = 1) -> None:
        for _ in range(jobs):
            self._numbers += 1
            self._queued.append(Job(self._numbers))
        self._deliver()

    def postpone(self, job: Job, due_s: float) -> None:
        """Acknowledge the message; reconcile sends another when the row is due."""
        self.postponed += 1
        self._numbers += 1
        heapq.heappush(self._due, (due_s, self._numbers, job))

    def _reconcile(self) -> Process[None]:
        while True:
            for _ in range(RECONCILE_ROWS):
                if not self._due or self._due[0][0] > self._time.now_s:
                    break
                self._queued.append(heapq.heappop(self._due)[2])
            self._deliver()
            yield RECONCILE_EVERY_S

    def _deliver(self) -> None:
        """Hand batches to idle workers: full ones at once, others when the window closes."""
        while self._idle and len(self._queued) >= BATCH:
            self._begin([self._queued.popleft() for _ in range(BATCH)])
        if self._idle and self._queued and not self._window_open:
            self._window_open = True
            self._time.begin(self._close_window(), after_s=BATCH_WINDOW_S)

    def _close_window(self) -> Process[None]:
        self._window_open = False
        if self._idle and self._queued:
            self._begin([self._queued.popleft() for _ in range(min(BATCH, len(self._queued)))])
        self._deliver()
        return
        yield  # a process that never waits

    def _begin(self, batch: list[Job]) -> None:
        self._idle -= 1
        self._time.begin(self._invoke(batch), after_s=self._chance.uniform(*DELIVERY_S))

    def _invoke(self, batch: list[Job]) -> Process[None]:
        yield from self.work(batch)
        self._idle += 1
        self._deliver()
