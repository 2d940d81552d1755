from __future__ import annotations

from datetime import datetime, timedelta

from tests.fakes.calls import Calls, port_call

# As the real one: what the provider counts and what we count differ by the network's jitter.
_MARGIN = 1.01


class FakePace:
    """Hands out slots at an even pace, none before `blocked_until`."""

    def __init__(
        self, calls: Calls | None = None, *, creates_per_minute: int = 600, reads_per_minute: int = 3000
    ) -> None:
        self.calls = calls or Calls()
        self._create_gap = timedelta(seconds=60 / creates_per_minute * _MARGIN)
        self._read_gap = timedelta(seconds=60 / reads_per_minute * _MARGIN)
        self._next_create: datetime | None = None
        self._next_read: datetime | None = None
        self._blocked_until: datetime | None = None

    @port_call
    def reserve_creates(self, count: int, *, now: datetime) -> list[datetime]:
        first = max(filter(None, (now, self._next_create, self._blocked_until)))
        self._next_create = first + self._create_gap * count
        return [first + self._create_gap * n for n in range(count)]

    @port_call
    def reserve_reads(self, count: int, *, now: datetime) -> datetime:
        first = max(now, self._next_read or now)
        self._next_read = first + self._read_gap * count
        return first

    @port_call
    def block(self, *, until: datetime) -> None:
        self._blocked_until = max(until, self._blocked_until or until)

    @port_call
    def blocked_until(self) -> datetime | None:
        return self._blocked_until
