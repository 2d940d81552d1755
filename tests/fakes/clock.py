from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until a test or a sleeper moves it."""

    def __init__(self, start: datetime = START) -> None:
        self.time = start
        self.slept_until: list[datetime] = []

    def now(self) -> datetime:
        return self.time

    def sleep_until(self, when: datetime) -> None:
        self.slept_until.append(when)
        self.time = max(self.time, when)

    def advance(self, by: timedelta) -> datetime:
        self.time += by
        return self.time
