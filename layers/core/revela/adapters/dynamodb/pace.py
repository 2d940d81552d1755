from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from revela.adapters.dynamodb.failures import condition_failed, transient
from revela.adapters.dynamodb.tables import PaceRow, Tables
from revela.domain.errors import Conflict

_CREATES, _READS = "pace#creates", "pace#reads"
# Our slots and the provider's window drift apart by the network's jitter: measured, 1 % is enough
# for no refusal at 99 % of the rate.
_MARGIN = 1.01
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Between two failed conditions someone else's write must lie; so many in a row do not happen.
_TRIES = 20


class DynamoPace:
    """One item per bucket holds the next free time; a reservation moves it on in one write.

    A block moves it too, so that no reservation needs to look at `blocked_until`.
    """

    def __init__(self, tables: Tables, *, creates_per_minute: int, reads_per_minute: int) -> None:
        self._tables = tables
        self._gaps_us = {
            _CREATES: round(60_000_000 / creates_per_minute * _MARGIN),
            _READS: round(60_000_000 / reads_per_minute * _MARGIN),
        }
        # What this process saw last: tells which of the two writes to try first.
        self._seen_us: dict[str, int] = {}

    def reserve_creates(self, count: int, *, now: datetime) -> list[datetime]:
        first_us = self._reserve(_CREATES, count, _us(now))
        return [_time(first_us + n * self._gaps_us[_CREATES]) for n in range(count)]

    def reserve_reads(self, count: int, *, now: datetime) -> datetime:
        return _time(self._reserve(_READS, count, _us(now)))

    def block(self, *, until: datetime) -> None:
        row = self._tables.pace
        until_us = _us(until)
        earlier = row.next_us.does_not_exist() | (row.next_us < until_us)
        both = [row.next_us.set(until_us), row.blocked_until_us.set(until_us)]
        if self._update(_CREATES, both, earlier) is not None:
            return
        # Slots are handed out beyond the block already.
        longer = row.blocked_until_us.does_not_exist() | (row.blocked_until_us < until_us)
        self._update(_CREATES, [row.blocked_until_us.set(until_us)], longer)

    def blocked_until(self) -> datetime | None:
        row = self._tables.pace
        try:
            with transient():
                found = row.get(_CREATES, consistent_read=True)
        except row.DoesNotExist:
            return None
        return _time(int(found.blocked_until_us)) if found.blocked_until_us else None

    def _reserve(self, bucket: str, count: int, now_us: int) -> int:
        """Return the first of `count` slots, in microseconds since the epoch."""
        row = self._tables.pace
        taken_us = count * self._gaps_us[bucket]
        busy = self._seen_us.get(bucket, 0) >= now_us
        for _ in range(_TRIES):
            if busy:
                written = self._update(bucket, [row.next_us.add(taken_us)], row.next_us >= now_us)
            else:
                idle = row.next_us.does_not_exist() | (row.next_us < now_us)
                written = self._update(bucket, [row.next_us.set(now_us + taken_us)], idle)
            if written is not None:
                self._seen_us[bucket] = int(written.next_us)
                return int(written.next_us) - taken_us
            busy = not busy
        raise Conflict({"contention"})

    def _update(self, bucket: str, actions: Sequence[Action], condition: Condition) -> PaceRow | None:
        """Return the item after the write, or None when the condition did not hold."""
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
        return row.from_raw_data(written["Attributes"])


def _us(when: datetime) -> int:
    return (when - _EPOCH) // _MICROSECOND


def _time(us: int) -> datetime:
    return _EPOCH + us * _MICROSECOND
