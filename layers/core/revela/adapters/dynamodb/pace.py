from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from revela.adapters.dynamodb.failures import condition_failed, transient
from revela.adapters.dynamodb.tables import PaceRow, Tables
from revela.domain.pace import (
    LONG_AGO,
    Advance,
    Bucket,
    Limit,
    Read,
    Result,
    Steps,
    Turns,
    Write,
    per_minute,
    refuse,
    reserve,
)

_CREATES, _READS = "pace#creates", "pace#reads"
_MICROSECOND = timedelta(microseconds=1)


class DynamoPace:
    """One item per bucket. A reservation is a read and a write, however many slots it takes."""

    def __init__(self, tables: Tables, *, creates_per_minute: int, reads_per_minute: int) -> None:
        self._tables = tables
        self._creates = Limit.per_minute(creates_per_minute)
        self._reads = Limit.per_minute(reads_per_minute)

    def reserve_creates(self, count: int, *, now: datetime, before: datetime) -> Turns:
        return self._carry_out(_CREATES, reserve(self._creates, count, now=now, before=before))

    def is_void(self, turns: Turns) -> bool:
        return self._read(_CREATES).epoch != turns.epoch

    def reserve_read(self, *, now: datetime, before: datetime) -> datetime | None:
        turns = self._carry_out(_READS, reserve(self._reads, 1, now=now, before=before))
        return turns.slots[0] if turns.slots else None

    def create_refused(self, *, sent_at: datetime, now: datetime, until: datetime) -> float | None:
        return self._slow_down(_CREATES, self._creates, sent_at, now, until)

    def read_refused(self, *, sent_at: datetime, now: datetime, until: datetime) -> float | None:
        return self._slow_down(_READS, self._reads, sent_at, now, until)

    def block(self, *, sent_at: datetime, now: datetime, until: datetime) -> None:
        steps = refuse(self._creates, sent_at=sent_at, now=now, until=until, too_fast=False)
        self._carry_out(_CREATES, steps)

    def blocked_until(self) -> datetime | None:
        until = self._read(_CREATES).blocked_until
        return None if until == LONG_AGO else until

    def _slow_down(
        self, bucket: str, limit: Limit, sent_at: datetime, now: datetime, until: datetime
    ) -> float | None:
        steps = refuse(limit, sent_at=sent_at, now=now, until=until, too_fast=True)
        learned = self._carry_out(bucket, steps)
        return None if learned is None else per_minute(learned.learned_gap)

    def _carry_out(self, bucket: str, steps: Steps[Result]) -> Result:
        answer: Bucket | None = None
        step = next(steps)
        while True:
            answer = self._read(bucket) if isinstance(step, Read) else self._write(bucket, step)
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: Result = end.value
                return result

    def _read(self, bucket: str) -> Bucket:
        row = self._tables.pace
        try:
            with transient():
                return _bucket(row.get(bucket, consistent_read=True))
        except row.DoesNotExist:
            return Bucket()

    def _write(self, bucket: str, write: Write) -> Bucket | None:
        """Return the item after the write, or None when its condition did not hold."""
        actions, condition = (
            self._advance(write) if isinstance(write, Advance) else self._reopen(write.bucket)
        )
        row = self._tables.pace
        try:
            with transient():
                written = self._tables.connection.update_item(
                    row.Meta.table_name, bucket, actions=actions, condition=condition, return_values="ALL_NEW"
                )
        except UpdateError as error:
            if condition_failed(error):
                return None
            raise
        return _bucket(row.from_raw_data(written["Attributes"]))

    def _advance(self, to: Advance) -> tuple[Sequence[Action], Condition]:
        row, now_us, by_us = self._tables.pace, _us(to.now), to.by // _MICROSECOND
        if to.idle:
            idle = row.next_us.does_not_exist() | (row.next_us < now_us)
            return [row.next_us.set(now_us + by_us)], idle & self._epoch_is(to.epoch)
        busy = (row.next_us >= now_us) & (row.next_us <= _us(to.latest))
        return [row.next_us.add(by_us)], busy & self._epoch_is(to.epoch)

    def _reopen(self, to: Bucket) -> tuple[Sequence[Action], Condition]:
        row = self._tables.pace
        actions = [
            row.next_us.set(_us(to.next_at)),
            row.blocked_from_us.set(_us(to.blocked_from)),
            row.blocked_until_us.set(_us(to.blocked_until)),
            row.learned_gap_us.set(to.learned_gap // _MICROSECOND),
            row.epoch.set(to.epoch),
        ]
        return actions, self._epoch_is(to.epoch - 1)

    def _epoch_is(self, epoch: int) -> Condition:
        row = self._tables.pace
        return row.epoch == epoch if epoch else row.epoch.does_not_exist()


def _bucket(row: PaceRow) -> Bucket:
    return Bucket(
        next_at=_time(row.next_us),
        blocked_from=_time(row.blocked_from_us),
        blocked_until=_time(row.blocked_until_us),
        learned_gap=int(row.learned_gap_us or 0) * _MICROSECOND,
        epoch=int(row.epoch or 0),
    )


def _us(when: datetime) -> int:
    return (when - LONG_AGO) // _MICROSECOND


def _time(us: float | None) -> datetime:
    return LONG_AGO + int(us or 0) * _MICROSECOND
