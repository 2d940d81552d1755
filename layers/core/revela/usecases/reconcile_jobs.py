"""Reconcile jobs: whatever is due, or went silent, moves on; it carries the system without webhooks.

Each visit first moves the row's `due_at` under its version: that is its claim, so that two runs
never act twice and a row that cannot progress does not starve the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from revela.domain.errors import Refused, Transient
from revela.domain.generation import Event, Failure, Generation, State
from revela.domain.policy import (
    CANCEL_DUE,
    DEADLINE_MARGIN,
    DELETING_DUE,
    DISPATCH_DUE,
    DUE_SHARDS,
    POLL_FIRST,
    POLL_MAX,
    START_LEASE,
    UNREADABLE_DUE,
    WAITING_DUE,
)
from revela.domain.retry import BACKOFF_MAX
from revela.ports import Ports, Ref
from revela.usecases.delete_generation import delete_generation
from revela.usecases.keep_webhook_secret import keep_webhook_secret
from revela.usecases.moving import Move, hand_over, move, send_starts
from revela.usecases.polling import ONE_CALL_NEEDS, poll_predictions

ROWS_PER_SHARD = 250
# Below this, no new work is begun.
RESERVE = timedelta(seconds=10)
# Rows are visited to be asked after: with less time than this left, they had better stay due.
ASKING_NEEDS = timedelta(seconds=30)


@dataclass
class _Due:
    """What one run found: rows already moved on, sorted by what they need."""

    start: list[Ref] = field(default_factory=list)
    ask: list[Generation] = field(default_factory=list)
    hand_over: set[str] = field(default_factory=set)
    delete: list[Ref] = field(default_factory=list)


def reconcile_jobs(*, ports: Ports, until: datetime) -> int:
    """Visit what is due and return how many rows that were. `until`: when this process ends.

    It sends messages and never downloads: outputs are saved by `finish_generation`.
    """
    blocked_until = ports.pace.blocked_until()
    found, visited = _Due(), 0
    for row in _due_rows(ports):
        if ports.clock.now() + ASKING_NEEDS > until:
            break
        with _left_for_next_visit("visit_failed", ports):
            visited += _visit(row, blocked_until, found, ports)
    if found.start:
        send_starts(found.start, ports=ports)
    for user_id in sorted(found.hand_over):
        with _left_for_next_visit("hand_over_failed", ports):
            hand_over(user_id, ports=ports)
    if found.ask:
        poll_predictions(found.ask, ports=ports, until=until)
    for ref in found.delete:
        if ports.clock.now() + RESERVE > until:
            break
        with _left_for_next_visit("delete_failed", ports):
            delete_generation(ref, ports=ports)
    if ports.clock.now() + ONE_CALL_NEEDS <= until:
        keep_webhook_secret(ports=ports)
    if visited:
        ports.telemetry.count("Reconciled", visited)
    return visited


@contextmanager
def _left_for_next_visit(event: str, ports: Ports) -> Iterator[None]:
    """Keep what fails for one row or user from the others: all of it is due again."""
    try:
        yield
    except (Transient, Refused, ValueError) as error:
        ports.telemetry.warning(event, reason=type(error).__name__)


def _due_rows(ports: Ports) -> Iterable[Generation]:
    now = ports.clock.now()
    # Another shard is the first each minute, so that a run short of time always starves none.
    first = int(now.timestamp()) // 60
    for n in range(DUE_SHARDS):
        refs = ports.generations.due((first + n) % DUE_SHARDS, until=now, limit=ROWS_PER_SHARD)
        # The index lags behind the table: what is no longer due was moved on by someone else.
        for row in _read(refs, ports) if refs else ():
            if row.due_at is not None and row.due_at <= now:
                yield row


def _read(refs: list[Ref], ports: Ports) -> Iterable[Generation]:
    """Return the rows, but for those of another version of this code, which are put off."""
    try:
        return ports.generations.get_many(refs)
    except ValueError:
        # What pydantic raises is one; which row it was about is found out by reading each alone.
        return [row for ref in refs if (row := _read_alone(ref, ports)) is not None]


def _read_alone(ref: Ref, ports: Ports) -> Generation | None:
    try:
        return ports.generations.get(ref)
    except ValueError as error:
        ports.telemetry.warning("row_unreadable", generation_id=ref.id, reason=type(error).__name__)
    # Many of them at the head of what is due would keep all others from ever being read.
    with _left_for_next_visit("row_not_put_off", ports):
        ports.generations.put_off(ref, until=ports.clock.now() + UNREADABLE_DUE)
    return None


def _visit(row: Generation, blocked_until: datetime | None, found: _Due, ports: Ports) -> bool:
    """Move the row's due on and note what it needs; False when another run was first."""
    now = ports.clock.now()
    expired = row.state in (State.WAITING, State.QUEUED) and row.too_old_to_start(now)
    blocked = row.state is State.QUEUED and blocked_until is not None and blocked_until > now

    def decide(seen: Generation) -> Move | None:
        if seen.version != row.version:
            return None
        if expired:
            return Move(Event.QUEUE_AGE_EXCEEDED, State.FAILED, failure=Failure(code="queue_timeout"))
        if blocked:
            # Nothing is sent, so nothing is to be missed after the usual time: it is due when it may be sent.
            return Move(Event.VISITED, row.state, changes={"due_at": blocked_until})
        due_at = _next_due(row, now)
        return Move(Event.VISITED, row.state, changes={"due_at": due_at, "visits": row.visits + 1})

    _, moved = move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)
    if not moved or expired or blocked:
        return moved
    lease_live = row.lease_until is not None and row.lease_until > now
    match row.state:
        case State.WAITING:
            found.hand_over.add(row.user_id)
        case State.QUEUED:
            found.start.append(Ref(row.user_id, row.id))
        case State.PROCESSING:
            found.ask.append(row)
        case State.STARTING | State.SAVING if not lease_live:
            found.ask.append(row)
        case State.DELETING:
            found.delete.append(Ref(row.user_id, row.id))
    return True


def _next_due(row: Generation, now: datetime) -> datetime:
    doubling = 1 << min(row.visits, 10)
    lease_until = row.lease_until if row.lease_until and row.lease_until > now else None
    match row.state:
        case State.WAITING:
            return now + WAITING_DUE
        case State.QUEUED:
            return now + min(DISPATCH_DUE * doubling, BACKOFF_MAX)
        case State.STARTING:
            return lease_until or now + START_LEASE
        case State.PROCESSING:
            first = CANCEL_DUE if row.cancel_requested_at is not None else POLL_FIRST
            again = now + min(first * doubling, POLL_MAX)
            deadline = row.deadline_at + DEADLINE_MARGIN if row.deadline_at else again
            return min(again, deadline) if deadline > now else again
        case State.SAVING:
            # Outputs live for an hour: no doubling past the poll's maximum.
            return lease_until or now + min(POLL_FIRST * doubling, POLL_MAX)
        case _:
            return now + DELETING_DUE
