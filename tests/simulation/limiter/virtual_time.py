"""Processes in virtual time: generators that yield for how many seconds they wait. No threads."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import TypeVar

from tests.fakes.clock import START

Result = TypeVar("Result")
Process = Generator[float, None, Result]


class VirtualTime:
    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Process[None]]] = []
        self._begun = 0

    def begin(self, process: Process[None], *, after_s: float = 0.0) -> None:
        # The count keeps processes of one moment in the order in which they came.
        self._begun += 1
        heapq.heappush(self._due, (self.now_s + after_s, self._begun, process))

    def run(self, *, until_s: float) -> None:
        while self._due and self._due[0][0] <= until_s:
            self.now_s, _, process = heapq.heappop(self._due)
            wait_s = next(process, None)
            if wait_s is not None:
                self.begin(process, after_s=wait_s)
        self.now_s = until_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def seconds_until(self, when: datetime) -> float:
        return max(0.0, (when - START).total_seconds() - self.now_s)
