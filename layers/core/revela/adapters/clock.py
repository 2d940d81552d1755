from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The world's time plus an offset, by which local runs and tests skip hours."""

    def __init__(self, *, offset_s: float = 0) -> None:
        self._offset = timedelta(seconds=offset_s)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def sleep_until(self, when: datetime) -> None:
        time.sleep(max(0.0, (when - self.now()).total_seconds()))
