from __future__ import annotations

from datetime import datetime

from revela.domain.pace import (
    LONG_AGO,
    Bucket,
    Limit,
    Read,
    Result,
    Steps,
    Turns,
    per_minute,
    refuse,
    reserve,
)
from tests.fakes.calls import Calls, port_call


class FakePace:
    """Carries out the steps of the domain on buckets in memory."""

    def __init__(
        self, calls: Calls | None = None, *, creates_per_minute: int = 600, reads_per_minute: int = 3000
    ) -> None:
        self.calls = calls or Calls()
        self._creates = Limit.per_minute(creates_per_minute)
        self._reads = Limit.per_minute(reads_per_minute)
        self._buckets = {"creates": Bucket(), "reads": Bucket()}

    @port_call
    def reserve_creates(self, count: int, *, now: datetime, before: datetime) -> Turns:
        return self._carry_out("creates", reserve(self._creates, count, now=now, before=before))

    @port_call
    def is_void(self, turns: Turns) -> bool:
        return self._buckets["creates"].epoch != turns.epoch

    @port_call
    def reserve_read(self, *, now: datetime, before: datetime) -> datetime | None:
        turns = self._carry_out("reads", reserve(self._reads, 1, now=now, before=before))
        return turns.slots[0] if turns.slots else None

    @port_call
    def create_refused(self, *, sent_at: datetime, now: datetime, until: datetime) -> float | None:
        return self._slow_down("creates", self._creates, sent_at, now, until)

    @port_call
    def read_refused(self, *, sent_at: datetime, now: datetime, until: datetime) -> float | None:
        return self._slow_down("reads", self._reads, sent_at, now, until)

    @port_call
    def block(self, *, sent_at: datetime, now: datetime, until: datetime) -> None:
        steps = refuse(self._creates, sent_at=sent_at, now=now, until=until, too_fast=False)
        self._carry_out("creates", steps)

    @port_call
    def blocked_until(self) -> datetime | None:
        until = self._buckets["creates"].blocked_until
        return None if until == LONG_AGO else until

    def _slow_down(
        self, bucket: str, limit: Limit, sent_at: datetime, now: datetime, until: datetime
    ) -> float | None:
        learned = self._carry_out(bucket, refuse(limit, sent_at=sent_at, now=now, until=until, too_fast=True))
        return None if learned is None else per_minute(learned.learned_gap)

    def _carry_out(self, bucket: str, steps: Steps[Result]) -> Result:
        step = next(steps)
        while True:
            answer: Bucket | None = self._buckets[bucket]
            if not isinstance(step, Read):
                answer = step.applied(self._buckets[bucket]) if step.holds(self._buckets[bucket]) else None
                self._buckets[bucket] = answer or self._buckets[bucket]
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: Result = end.value
                return result
