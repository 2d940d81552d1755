"""The pace of requests to the provider, shared by all workers: slots reserved ahead, the rate learned.

One item per limit is all that is shared. A reservation moves `next_at` on by its slots. A refusal
opens a new epoch: slots of older epochs are void and are reserved again behind the block, so that
none is burnt while nothing can be sent. The learned rate recovers with time alone, without a write.

What to read and write is said step by step by generators without I/O: the adapter, the fake and the
limiter's simulation carry out the same steps, each on a store of its own.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from revela.domain.errors import Conflict

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# Our slots and the provider's window drift apart by the network's jitter: simulated, 1 % is enough
# for no refusal at 99 % of the rate.
MARGIN = 1.01
# A refusal slows down by what was measured since the one before, within these bounds.
SLOWER_LEAST, SLOWER_MOST = 1.03, 2.0
SLOWEST_GAP = timedelta(minutes=1)
# A little below what was measured, for an estimate errs to both sides.
BELOW_MEASURED = 1.02
# A rate doubles within this time, slowly at first: near the limit that was learned, a faster one
# would run into it again and again.
DOUBLES_IN = timedelta(minutes=20)
# Limits are per minute: who is told to stay away for longer was not too fast.
LIMITS_RESET_IN = timedelta(minutes=1, seconds=1)
# Refusals of one moment ask for slightly different waits.
SAME_BLOCK = timedelta(seconds=2)
# Who was turned away during a block comes back in the order of coming, within so long after it.
REJOIN = timedelta(minutes=2)
# Between two failed conditions someone else's write must lie; so many in a row do not happen.
TRIES = 20


@dataclass(frozen=True)
class Bucket:
    """What workers share of one limit. `learned_gap` holds at `blocked_until`, the last epoch's begin."""

    next_at: datetime = LONG_AGO
    blocked_from: datetime = LONG_AGO
    blocked_until: datetime = LONG_AGO
    learned_gap: timedelta = timedelta(0)
    epoch: int = 0


@dataclass(frozen=True)
class Limit:
    """`gap`: the time between two requests at the configured rate."""

    gap: timedelta

    @classmethod
    def per_minute(cls, requests: int) -> Limit:
        return cls(timedelta(minutes=1) / requests * MARGIN)

    def gap_at(self, bucket: Bucket, now: datetime) -> timedelta:
        """Return the time between two requests, as learned and recovered since."""
        age = max(now - bucket.blocked_until, timedelta(0)) / DOUBLES_IN
        return max(self.gap, bucket.learned_gap / (1 + age**3))


@dataclass(frozen=True)
class Turns:
    """`slots`: when requests may be sent, ascending; `later`: when those without a slot ask again."""

    slots: tuple[datetime, ...]
    later: tuple[datetime, ...]
    epoch: int


@dataclass(frozen=True)
class Read:
    """Answered by the bucket as it is, strongly consistent; a new one if there is none."""


@dataclass(frozen=True)
class Advance:
    """Move `next_at` on `by` so much, from `now` if it lies before. Answered by the bucket after, or None.

    Of the bucket that was read only its epoch and whether it was `idle` must still be true, so that
    workers do not fail each other.
    """

    now: datetime
    idle: bool
    by: timedelta
    latest: datetime
    epoch: int

    def holds(self, bucket: Bucket) -> bool:
        if bucket.epoch != self.epoch:
            return False
        return bucket.next_at < self.now if self.idle else self.now <= bucket.next_at <= self.latest

    def applied(self, bucket: Bucket) -> Bucket:
        return replace(bucket, next_at=(self.now if self.idle else bucket.next_at) + self.by)


@dataclass(frozen=True)
class Reopen:
    """Begin a new epoch, whose first slot is the end of the block. Answered by the bucket, or None."""

    bucket: Bucket

    def holds(self, bucket: Bucket) -> bool:
        return bucket.epoch == self.bucket.epoch - 1

    def applied(self, _before: Bucket) -> Bucket:
        return self.bucket


Write = Advance | Reopen
Result = TypeVar("Result")
Steps = Generator[Read | Write, Bucket | None, Result]


def reserve(limit: Limit, count: int, *, now: datetime, before: datetime) -> Steps[Turns]:
    """Take up to `count` slots, none after `before`. Raises Conflict under endless contention."""
    for _ in range(TRIES):
        bucket = yield Read()
        assert bucket is not None
        gap = limit.gap_at(bucket, now)
        first = max(bucket.next_at, now)
        taken = _fitting(count, first, gap, now=now, before=before)
        if not taken:
            return Turns((), _later(bucket, count, first, gap, now), bucket.epoch)
        latest = before - (taken - 1) * gap
        written = yield Advance(now, bucket.next_at < now, taken * gap, latest, bucket.epoch)
        if written is not None:
            first = written.next_at - taken * gap
            later = _later(written, count - taken, written.next_at, gap, now)
            return Turns(tuple(first + n * gap for n in range(taken)), later, written.epoch)
    raise Conflict({"contention"})


def refuse(
    limit: Limit, *, sent_at: datetime, now: datetime, until: datetime, too_fast: bool
) -> Steps[Bucket | None]:
    """Let nobody send before `until`; learn from it if the refusal was for being `too_fast`.

    Returns the bucket of the new epoch, None if this refusal was one more of a block that is known.
    """
    for _ in range(TRIES):
        bucket = yield Read()
        assert bucket is not None
        blocked = _blocked(limit, bucket, sent_at=sent_at, now=now, until=until, too_fast=too_fast)
        if blocked is None or (yield Reopen(blocked)) is not None:
            return blocked
    raise Conflict({"contention"})


def per_minute(gap: timedelta) -> float:
    return timedelta(minutes=1) / gap


def _fitting(count: int, first: datetime, gap: timedelta, *, now: datetime, before: datetime) -> int:
    if first > before:
        return 0
    fitting = min(count, (before - first) // gap + 1)
    # Whole batches or none: at a full horizon, many would take one slot each with a write each.
    # Unless the rate is so low that the horizon holds no more anyway.
    worth_a_write = min(count, max(1, (before - now) // gap // 2))
    return fitting if fitting >= worth_a_write else 0


def _later(
    bucket: Bucket, count: int, free_at: datetime, gap: timedelta, now: datetime
) -> tuple[datetime, ...]:
    """Return when `count` requests without a slot ask again: behind those that have one, spread."""
    if now < bucket.blocked_until:
        length = bucket.blocked_until - bucket.blocked_from
        passed = max(now - bucket.blocked_from, timedelta(0)) / length
        free_at = max(free_at, bucket.blocked_until + min(REJOIN, length) * passed)
    return tuple(free_at + n * gap for n in range(count))


def _blocked(
    limit: Limit, bucket: Bucket, *, sent_at: datetime, now: datetime, until: datetime, too_fast: bool
) -> Bucket | None:
    if sent_at < bucket.blocked_until:
        # It was under way when another was refused: one moment counts once.
        if until <= bucket.blocked_until + SAME_BLOCK:
            return None
        too_fast = False
    until = max(until, bucket.blocked_until)
    gap = limit.gap_at(bucket, sent_at)
    passed = (sent_at - bucket.blocked_until) // gap
    # Refused at the first slot after a block: it is not over, and says nothing of the rate.
    if too_fast and passed >= 1 and until - now <= LIMITS_RESET_IN:
        # From the end of one block to the end of the next, the provider took what it takes.
        measured = (until - bucket.blocked_until) / passed * BELOW_MEASURED
        gap = min(max(measured, gap * SLOWER_LEAST), gap * SLOWER_MOST, SLOWEST_GAP)
    return Bucket(
        next_at=until, blocked_from=now, blocked_until=until, learned_gap=gap, epoch=bucket.epoch + 1
    )
