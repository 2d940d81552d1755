"""The choke point: numbers the calls that leave a process, and breaks those it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from revela.ports import Clock

Send = Callable[[], Any]
Answer = Callable[[Send], Any]


class Killed(BaseException):
    """The process ends here: no `except Exception` and no clean-up of ours sees it."""


class Fault(StrEnum):
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    UNANSWERED = "error after effect"
    SENT_TWICE = "answer lost, sent again"
    THROTTLED = "throttled"
    CONFLICT = "transaction conflict"


KILLS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)


@dataclass(frozen=True)
class Call:
    """`faults`: the ways in which it can be broken."""

    label: str
    faults: tuple[Fault, ...]


@dataclass
class Breaker:
    """`breaks`: faults by the number of the call. `scripted`: by label, of the first call that has it.

    `meanwhile`: what others do right before the first call of a label.
    Calls outside of `process` are the test's own, and pass unseen.
    """

    clock: Clock
    breaks: Mapping[int, Fault] = field(default_factory=dict)
    scripted: Mapping[str, Fault] = field(default_factory=dict)
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    seen: list[Call] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    last_broken_at: datetime | None = None
    _flows: list[str] = field(default_factory=list)
    _ends: list[datetime] = field(default_factory=list)
    _played: set[str] = field(default_factory=set)

    @contextmanager
    def process(self, flow: str, ends_at: datetime) -> Iterator[None]:
        """Calls in this block are those of one process, which is stopped at its end."""
        self._ends.append(ends_at)
        try:
            with self.part(flow):
                yield
        finally:
            self._ends.pop()

    @contextmanager
    def part(self, flow: str) -> Iterator[None]:
        """Calls in this block belong to a flow of their own within the process."""
        self._flows.append(flow)
        try:
            yield
        finally:
            self._flows.pop()

    def carry(self, name: str, send: Send, answers: Mapping[Fault, Answer]) -> Any:
        """Send one call, or do what breaks it; `answers` are the faults that only its kind can have."""
        if not self.in_process:
            return send()
        fault = self.enter(name, tuple(answers))
        if fault is None:
            return send()
        if fault is Fault.KILLED_AFTER:
            send()
            raise Killed
        return answers[fault](send)

    def enter(self, name: str, faults: tuple[Fault, ...] = ()) -> Fault | None:
        """Note a call; return how it is to be broken. Raises Killed where the process ends before it."""
        if self.clock.now() > self._ends[-1]:
            raise Killed
        label = f"{self._flows[-1]} · {name}"
        number = len(self.seen)
        self.seen.append(Call(label, (*KILLS, *faults)))
        if others := self.meanwhile.pop(label, None):
            with self.aside():
                others()
        fault = self._fault_of(number, label)
        if fault is not None:
            self.broken.append(f"{label}: {fault}")
            self.last_broken_at = self.clock.now()
        if fault is Fault.KILLED_BEFORE:
            raise Killed
        return fault

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Calls in this block are no process's."""
        ends, self._ends = self._ends, []
        try:
            yield
        finally:
            self._ends = ends

    @property
    def in_process(self) -> bool:
        return bool(self._ends)

    def saw(self, name: str, *, since: int) -> bool:
        """Tell whether any call since that number is of this name."""
        return any(name in call.label for call in self.seen[since:])

    def _fault_of(self, number: int, label: str) -> Fault | None:
        if number in self.breaks:
            return self.breaks[number]
        if label in self.scripted and label not in self._played:
            self._played.add(label)
            return self.scripted[label]
        return None

    @property
    def unplayed(self) -> Sequence[str]:
        """Return the scripted labels that no call had."""
        return sorted(set(self.scripted) - self._played)
