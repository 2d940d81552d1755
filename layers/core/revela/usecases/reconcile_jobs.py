"""Reconcile jobs: whatever is due, or went silent, moves on; it carries the system without webhooks.

Each visit first moves the row's `due_at` under its version: that is its claim, so that two runs
never act twice and a row that cannot progress does not starve the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from revela.domain.errors import (
    NotFound,
    NotNow,
    ProviderNotFound,
    ProviderTransient,
    Transient,
)
from revela.domain.generation import Event, Failure, Generation, State, fingerprint
from revela.domain.policy import (
    CANCEL_DUE,
    DEADLINE_MARGIN,
    DELETING_DUE,
    DISPATCH_DUE,
    DUE_SHARDS,
    LOST_CREATES_MAX,
    POLL_FIRST,
    POLL_MAX,
    START_LEASE,
    WAITING_DUE,
)
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import BACKOFF_MAX, REFUSED_WAIT, backoff
from revela.ports import FinishGeneration, Ports, Ref
from revela.usecases.delete_generation import delete_generation
from revela.usecases.keep_webhook_secret import keep_webhook_secret
from revela.usecases.moving import Move, hand_over, move, send_starts
from revela.usecases.provider_predictions import cancel_at_provider

ROWS_PER_SHARD = 250
# Up to this many rows, single requests are cheaper than pages of a hundred.
SINGLE_GETS = 3
# Below this, no new work is begun.
RESERVE = timedelta(seconds=10)


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
        if ports.clock.now() + RESERVE > until:
            break
        try:
            if _visit(row, blocked_until, found, ports):
                visited += 1
        except Transient as error:
            ports.telemetry.warning("visit_failed", generation_id=row.id, reason=type(error).__name__)
    if found.start:
        send_starts(found.start, ports=ports)
    for user_id in sorted(found.hand_over):
        hand_over(user_id, ports=ports)
    _ask_provider(found.ask, ports, until)
    for ref in found.delete:
        try:
            delete_generation(ref, ports=ports)
        except (NotFound, NotNow):
            continue
    keep_webhook_secret(ports=ports)
    if visited:
        ports.telemetry.count("Reconciled", visited)
    return visited


def _due_rows(ports: Ports) -> Iterable[Generation]:
    now = ports.clock.now()
    for shard in range(DUE_SHARDS):
        refs = ports.generations.due(shard, until=now, limit=ROWS_PER_SHARD)
        # The index lags behind the table: what is no longer due was moved on by someone else.
        for row in ports.generations.get_many(refs) if refs else ():
            if row.due_at is not None and row.due_at <= now:
                yield row


def _visit(row: Generation, blocked_until: datetime | None, found: _Due, ports: Ports) -> bool:
    """Move the row's due on and note what it needs; False when another run was first."""
    now = ports.clock.now()
    expired = row.state in (State.WAITING, State.QUEUED) and row.too_old_to_start(now)

    def decide(seen: Generation) -> Move | None:
        if seen.version != row.version:
            return None
        if expired:
            return Move(Event.QUEUE_AGE_EXCEEDED, State.FAILED, failure=Failure(code="queue_timeout"))
        due_at = _next_due(row, now, blocked_until)
        return Move(Event.VISITED, row.state, changes={"due_at": due_at, "visits": row.visits + 1})

    _, moved = move(Ref(row.user_id, row.id), decide, ports=ports, seen=row)
    if not moved or expired:
        return moved
    lease_live = row.lease_until is not None and row.lease_until > now
    match row.state:
        case State.WAITING:
            found.hand_over.add(row.user_id)
        case State.QUEUED if blocked_until is None or blocked_until <= now:
            found.start.append(Ref(row.user_id, row.id))
        case State.PROCESSING:
            found.ask.append(row)
        case State.STARTING | State.SAVING if not lease_live:
            found.ask.append(row)
        case State.DELETING:
            found.delete.append(Ref(row.user_id, row.id))
    return True


def _next_due(row: Generation, now: datetime, blocked_until: datetime | None) -> datetime:
    doubling = 1 << min(row.visits, 10)
    lease_until = row.lease_until if row.lease_until and row.lease_until > now else None
    match row.state:
        case State.WAITING:
            return now + WAITING_DUE
        case State.QUEUED:
            again = now + min(DISPATCH_DUE * doubling, BACKOFF_MAX)
            return max(again, blocked_until) if blocked_until else again
        case State.STARTING:
            return lease_until or now + START_LEASE
        case State.PROCESSING if row.cancel_requested_at is not None:
            return now + CANCEL_DUE * doubling
        case State.PROCESSING:
            again = now + min(POLL_FIRST * doubling, POLL_MAX)
            deadline = row.deadline_at + DEADLINE_MARGIN if row.deadline_at else again
            return min(again, deadline) if deadline > now else again
        case State.SAVING:
            return lease_until or now + POLL_FIRST * doubling
        case _:
            return now + DELETING_DUE


def _ask_provider(rows: list[Generation], ports: Ports, until: datetime) -> None:
    """Learn what became of the rows' predictions, and pass on what ended or can be adopted."""
    if not rows:
        return
    try:
        known, complete = _read_predictions(rows, ports, until)
    except ProviderTransient as error:
        # Nothing was learnt; every row is due again.
        ports.telemetry.warning("provider_not_answering", reason=type(error).__name__)
        return
    commands: list[FinishGeneration] = []
    for row in rows:
        prediction = known.get(row.id)
        if prediction is None:
            if row.state is State.STARTING and complete:
                _lost(row, ports)
            continue
        if not prediction.status.terminal and _must_cancel(row, ports):
            prediction = cancel_at_provider(row, ports=ports) or prediction
        if prediction.status.terminal or row.state is State.STARTING:
            commands.append(FinishGeneration(Ref(row.user_id, row.id), row.attempt, prediction))
    if commands:
        try:
            ports.commands.finish_generations(commands)
        except Transient as error:
            ports.telemetry.warning("finish_not_sent", count=len(commands), reason=str(error))


def _must_cancel(row: Generation, ports: Ports) -> bool:
    """Tell whether the user asked for it, or the provider has let its own deadline pass."""
    if row.cancel_requested_at is not None:
        return True
    return row.deadline_at is not None and ports.clock.now() > row.deadline_at + DEADLINE_MARGIN


def _read_predictions(
    rows: list[Generation], ports: Ports, until: datetime
) -> tuple[dict[str, Prediction], bool]:
    """Return generation id -> prediction: from the listing, then one by one what it did not show.

    The flag tells whether the listing was read to its end: only then is what it lacks unknown there.
    """
    known: dict[str, Prediction] = {}
    complete = True
    unproved = [row for row in rows if row.prediction_id is None]
    if unproved or len(rows) > SINGLE_GETS:
        complete = _read_listing(rows, known, ports, until)
    for row in rows:
        if row.id in known or row.prediction_id is None or ports.clock.now() + RESERVE > until:
            continue
        ports.clock.sleep_until(ports.pace.reserve_reads(1, now=ports.clock.now()))
        try:
            known[row.id] = ports.provider.get_prediction(row.prediction_id)
        except ProviderNotFound:
            known[row.id] = Prediction(
                id=row.prediction_id, status=PredictionStatus.FAILED, error="not found", data_removed=True
            )
    return known, complete


def _read_listing(
    rows: list[Generation], known: dict[str, Prediction], ports: Ports, until: datetime
) -> bool:
    by_prediction = {row.prediction_id: row for row in rows if row.prediction_id is not None}
    by_fingerprint: dict[str, Generation] = {
        row.fingerprint: row for row in rows if row.prediction_id is None and row.fingerprint is not None
    }
    versions = {row.provider_version for row in by_fingerprint.values()}
    claimed = [row.claimed_at for row in rows if row.claimed_at is not None]
    # The provider's clock is not ours: begin a little before the first claim.
    since = min(claimed, default=ports.clock.now()) - timedelta(minutes=1)
    ports.clock.sleep_until(ports.pace.reserve_reads(1, now=ports.clock.now()))
    for page in ports.provider.list_predictions(created_after=since):
        for prediction in page:
            row = by_prediction.get(prediction.id)
            if row is None and prediction.input is not None:
                prints = (fingerprint(version, prediction.input) for version in versions)
                row = next((by_fingerprint[p] for p in prints if p in by_fingerprint), None)
            if row is not None:
                known.setdefault(row.id, prediction)
        if len(known) == len(rows):
            return True
        if ports.clock.now() + RESERVE > until:
            return False
        ports.clock.sleep_until(ports.pace.reserve_reads(1, now=ports.clock.now()))
    return True


def _lost(row: Generation, ports: Ports) -> None:
    """The lease is over and the provider knows nothing of the create: it was never made."""

    def decide(seen: Generation) -> Move | None:
        if seen.state is not State.STARTING or seen.attempt != row.attempt or seen.prediction_id is not None:
            return None
        if seen.cancel_requested_at is not None:
            return Move(Event.LOST, State.CANCELED)
        if seen.lost_creates >= LOST_CREATES_MAX:
            return Move(Event.LOST, State.FAILED, failure=Failure(code="provider_unknown"))
        now = ports.clock.now()
        again_at = now + backoff(REFUSED_WAIT, seen.lost_creates, fraction=ports.entropy.fraction())
        return Move(
            Event.LOST,
            State.QUEUED,
            changes={"lost_creates": seen.lost_creates + 1, "not_before": again_at, "due_at": again_at},
        )

    ports.telemetry.count("CreatesLost")
    move(Ref(row.user_id, row.id), decide, ports=ports)
