"""Four ways in which a provider may count its limit. None is told; all say when to come again."""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol


class Upstream(Protocol):
    def change_limit(self, per_minute: int) -> None: ...

    def ask(self, now_s: float) -> float | None:
        """Admit a request (None), or return after how many seconds it would be admitted."""


class TokenBucket:
    """Fills evenly, holds some seconds' worth."""

    HOLDS_S = 6

    def __init__(self, per_minute: int) -> None:
        self._tokens, self._seen_s = math.inf, 0.0
        self.change_limit(per_minute)

    def change_limit(self, per_minute: int) -> None:
        self._per_s = per_minute / 60
        self._tokens = min(self._tokens, self.HOLDS_S * self._per_s)

    def ask(self, now_s: float) -> float | None:
        filled = self._tokens + (now_s - self._seen_s) * self._per_s
        self._tokens, self._seen_s = min(filled, self.HOLDS_S * self._per_s), now_s
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_s
        self._tokens -= 1
        return None


class FixedWindow:
    """Counts by the minute of the clock."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._minute, self._count = 0, 0

    def change_limit(self, per_minute: int) -> None:
        self._per_minute = per_minute

    def ask(self, now_s: float) -> float | None:
        minute = int(now_s // 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        if self._count >= self._per_minute:
            return (minute + 1) * 60 - now_s
        self._count += 1
        return None


class SlidingWindow:
    """Counts the last sixty seconds."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._admitted: deque[float] = deque()

    def change_limit(self, per_minute: int) -> None:
        self._per_minute = per_minute

    def ask(self, now_s: float) -> float | None:
        while self._admitted and self._admitted[0] <= now_s - 60:
            self._admitted.popleft()
        if len(self._admitted) >= self._per_minute:
            return self._admitted[len(self._admitted) - self._per_minute] + 60 - now_s
        self._admitted.append(now_s)
        return None


class LeakyBucket:
    """GCRA: one request per interval, and a second's worth of them at once."""

    BURST_S = 1.0

    def __init__(self, per_minute: int) -> None:
        self._expected_s = 0.0
        self.change_limit(per_minute)

    def change_limit(self, per_minute: int) -> None:
        self._interval_s = 60 / per_minute

    def ask(self, now_s: float) -> float | None:
        expected_s = max(self._expected_s, now_s)
        early_s = expected_s - now_s - (self.BURST_S - self._interval_s)
        if early_s > 1e-9:
            return early_s
        self._expected_s = expected_s + self._interval_s
        return None


UPSTREAMS: dict[str, type[TokenBucket] | type[FixedWindow] | type[SlidingWindow] | type[LeakyBucket]] = {
    "token bucket": TokenBucket,
    "fixed minute": FixedWindow,
    "sliding minute": SlidingWindow,
    "leaky bucket": LeakyBucket,
}
