"""Rows that many write at once: read, decide, write; and again, for so long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from revela.domain.retry import backoff
from revela.ports import Ports

# One account may be written by a hundred jobs at once; each write takes a few dozen milliseconds.
# Waits grow until the tries of all of them together are fewer than the account takes in.
CONTENTION_BASE = timedelta(milliseconds=30)
CONTENTION_MAX = timedelta(seconds=3)
# Below what API Gateway waits for (30 s), and what publishing sets aside for its settlement.
CONTENTION_BUDGET = timedelta(seconds=24)


def contended(ports: Ports) -> Iterator[int]:
    """Yield tries, waiting with full jitter between them, until the budget is used up."""
    give_up_at = ports.clock.now() + CONTENTION_BUDGET
    times = 0
    while (now := ports.clock.now()) < give_up_at:
        yield times
        wait = backoff(CONTENTION_BASE, times, fraction=ports.entropy.fraction(), maximum=CONTENTION_MAX)
        ports.clock.sleep_until(max(now, ports.clock.now()) + wait)
        times += 1
