from __future__ import annotations

from datetime import datetime, timedelta

from tests.fakes import FakeClock


class SkewedClock(FakeClock):
    """A clock that is constantly wrong by `skew`."""

    def __init__(self, true: FakeClock, skew: timedelta) -> None:
        super().__init__()
        self.skew = skew
        self._true = true

    def now(self) -> datetime:
        return self._true.now() + self.skew
