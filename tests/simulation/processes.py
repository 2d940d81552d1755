from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from revela.domain.errors import Transient
from tests.fakes import FakePorts

Result = TypeVar("Result")

DEPTH_MAX = 3
# What AWS may refuse or leave unanswered; the provider's faults are its own.
STORES = ("FakeGenerations.", "FakeAccounts.", "FakeChanges.", "FakeObjects.", "FakeCommands.", "FakePace.")


class Killed(BaseException):
    """The process ended here: a crash, or its function's time-out."""


@dataclass
class Chances:
    """How likely each trouble is, at every single call to the outside."""

    killed: float = 0.0
    interrupted: float = 0.0
    refused: float = 0.0
    unanswered: float = 0.0


class Processes:
    """Runs work as Lambda does: each call to the outside may be its last, fail, or let others go first.

    `others` does something else in the system; it runs between two calls of the interrupted process, so
    that what that process has read grows old.
    """

    def __init__(self, ports: FakePorts, chance: random.Random, others: Callable[[], None]) -> None:
        self.chances = Chances()
        self._ports = ports
        self._chance = chance
        self._others = others
        self._ends: list[datetime] = []
        ports.calls.before = self._before
        ports.calls.after = self._after

    def run(self, work: Callable[[datetime], Result], *, timeout: timedelta) -> Result:
        """Call `work` with when it will be stopped. Raises Killed beside what `work` raises."""
        self._ends.append(self._ports.clock.now() + timeout)
        try:
            return work(self._ends[-1])
        finally:
            self._ends.pop()

    def _before(self, call: str) -> None:
        if not self._ends:
            return  # the simulation itself looks
        if len(self._ends) < DEPTH_MAX and self._chance.random() < self.chances.interrupted:
            self._others()
        if self._ports.clock.now() > self._ends[-1] or self._chance.random() < self.chances.killed:
            raise Killed
        if call.startswith(STORES) and self._chance.random() < self.chances.refused:
            raise Transient(f"{call} was refused")

    def _after(self, call: str) -> None:
        if not self._ends:
            return
        if self._chance.random() < self.chances.killed:
            raise Killed
        if call.startswith(STORES) and self._chance.random() < self.chances.unanswered:
            raise Transient(f"{call} was not answered")
