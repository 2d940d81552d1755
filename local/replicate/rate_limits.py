"""Replicate's rate limits: 600 creates a minute, 3,000 of everything else, with bursts.

The headers recorded from it (`599` and `1` after a single request) are those of a bucket that holds a
minute's requests and fills evenly; the size of its bursts is not documented.
"""

import math
from dataclasses import dataclass

from local.replicate.clock import Clock

CREATES_PER_MIN = 600
OTHERS_PER_MIN = 3000


@dataclass(frozen=True)
class Allowance:
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        return {"ratelimit-remaining": str(self.remaining), "ratelimit-reset": str(self.reset_s)}


class Bucket:
    def __init__(self, per_min: int, clock: Clock) -> None:
        self._capacity = per_min
        self._per_s = per_min / 60
        self._clock = clock
        self._level = float(per_min)
        self._seen_s = clock.now_s()

    def take(self) -> Allowance | None:
        """One request's worth; None when the bucket is empty."""
        now_s = self._clock.now_s()
        self._level = min(self._capacity, self._level + max(0.0, now_s - self._seen_s) * self._per_s)
        self._seen_s = now_s
        if self._level < 1:
            return None
        self._level -= 1
        return Allowance(int(self._level), max(1, math.ceil((self._capacity - self._level) / self._per_s)))

    def wait_s(self) -> int:
        """Whole seconds until one request is allowed again."""
        return max(1, math.ceil((1 - self._level) / self._per_s))

    def reset(self) -> None:
        self._level = float(self._capacity)
        self._seen_s = self._clock.now_s()
