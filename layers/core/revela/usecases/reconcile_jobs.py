"""Reconcile jobs: whatever is due, or went silent, moves on; it carries the system without webhooks.

Each visit first moves the row's `due_at` under its version: that is its claim, so that two runs
never act twice and a row that cannot progress does not starve the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from revela.domain.change import Change, ModelWrite, PhotoWrite
from revela.domain.errors import Conflict, Permanent, Refused, Transient
from revela.domain.generation import Generation
from revela.domain.job import AnyJob, Event, Failure, Job, State
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import Photo
from revela.domain.policy import (
    CANCEL_DUE,
    DEADLINE_MARGIN,
    DELETING_DUE,
    DISPATCH_DUE,
    DUE_SHARDS,
    JUDGE_FIRST,
    JUDGE_MAX,
    PHOTO_DUE,
    POLL_FIRST,
    POLL_MAX,
    START_LEASE,
    TRAINING_POLL_MAX,
    UNREADABLE_DUE,
    WAITING_DUE,
)
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import BACKOFF_MAX
from revela.domain.training import Training
from revela.ports import Jobs, ModelRef, Ports, ProviderReport, Ref
from revela.usecases.delete_generation import delete_generation
from revela.usecases.delete_model import resume_deletion
from revela.usecases.keep_webhook_secret import keep_webhook_secret
from revela.usecases.moving import Move, hand_over, move, send_starts
from revela.usecases.polling import ONE_CALL_NEEDS, poll_predictions

ROWS_PER_SHARD = 250
# Below this, no new work is begun.
RESERVE = timedelta(seconds=10)
# Rows are visited to be asked after: with less time than this left, they had better stay due.
ASKING_NEEDS = timedelta(seconds=30)


AnyDue = Job | Photo | PersonalModel
Row = TypeVar("Row")


@dataclass
class _Due:
    """What one run found: rows already moved on, sorted by what they need."""

    start: list[Ref] = field(default_factory=list)
    ask: list[Generation] = field(default_factory=list)
    ask_of_trainings: list[Training] = field(default_factory=list)
    hand_over: set[str] = field(default_factory=set)
    delete: list[Ref] = field(default_factory=list)
    judge: list[ProviderReport] = field(default_factory=list)
    check: list[Ref] = field(default_factory=list)
    delete_models: list[ModelRef] = field(default_factory=list)


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
    if found.judge:
        with _left_for_next_visit("judge_not_sent", ports):
            ports.commands.finish(found.judge)
    if found.check:
        with _left_for_next_visit("check_not_sent", ports):
            ports.commands.check(found.check)
    if found.ask:
        poll_predictions(found.ask, ports=ports, until=until)
    if found.ask_of_trainings:
        poll_predictions(found.ask_of_trainings, ports=ports, until=until)
    _delete(found, ports, until)
    if ports.clock.now() + ONE_CALL_NEEDS <= until:
        keep_webhook_secret(ports=ports)
    if visited:
        ports.telemetry.count("Reconciled", visited)
    return visited


def _delete(found: _Due, ports: Ports, until: datetime) -> None:
    steps = [partial(delete_generation, ref, ports=ports) for ref in found.delete]
    steps += [partial(resume_deletion, ref, ports=ports) for ref in found.delete_models]
    for step in steps:
        if ports.clock.now() + RESERVE > until:
            break
        with _left_for_next_visit("delete_failed", ports):
            step()


@contextmanager
def _left_for_next_visit(event: str, ports: Ports) -> Iterator[None]:
    """Keep what fails for one row or user from the others: all of it is due again."""
    try:
        yield
    except (Transient, Permanent, Refused, ValueError) as error:
        ports.telemetry.warning(event, reason=type(error).__name__)


def _due_rows(ports: Ports) -> Iterator[AnyDue]:
    now = ports.clock.now()
    # Another shard is the first each minute, so that a run short of time always starves none.
    first = int(now.timestamp()) // 60
    for n in range(DUE_SHARDS):
        shard = (first + n) % DUE_SHARDS
        refs = ports.generations.due(shard, until=now, limit=ROWS_PER_SHARD)
        yield from _still_due(_jobs(refs, ports.generations, ports), now)
        others = ports.models.due(shard, until=now, limit=ROWS_PER_SHARD)
        yield from _still_due(_jobs([ref for ref in others if ref.of_training], ports.trainings, ports), now)
        yield from _still_due(_of_models([ref for ref in others if not ref.of_training], ports), now)


def _still_due(rows: Iterable[AnyDue], now: datetime) -> Iterator[AnyDue]:
    """The index lags behind the table: what is no longer due was moved on by someone else."""
    for row in rows:
        if row.due_at is not None and row.due_at <= now:
            yield row


def _jobs(refs: Sequence[Ref], jobs: Jobs[AnyJob], ports: Ports) -> Iterable[AnyJob]:
    """Return the rows, but for those of another version of this code, which are put off."""
    try:
        return jobs.get_many(refs) if refs else ()
    except ValueError:
        # What pydantic raises is one; which row it was about is found out by reading each alone.
        rows = (_read_alone(ref, partial(jobs.get, ref), ports) for ref in refs)
        return [row for row in rows if row is not None]


def _of_models(refs: Sequence[Ref], ports: Ports) -> Iterator[Photo | PersonalModel]:
    for ref in refs:
        model_id, _, photo_id = ref.id.partition("#")
        model = ModelRef(ref.user_id, model_id)
        row: Photo | PersonalModel | None
        if ref.of_photo:
            row = _read_alone(ref, partial(ports.photos.get, model, photo_id), ports)
        else:
            row = _read_alone(ref, partial(ports.models.get, model), ports)
        if row is not None:
            yield row


def _read_alone(ref: Ref, read: Callable[[], Row | None], ports: Ports) -> Row | None:
    try:
        return read()
    except ValueError as error:
        ports.telemetry.warning("row_unreadable", row_id=ref.id, reason=type(error).__name__)
    # Many of them at the head of what is due would keep all others from ever being read.
    with _left_for_next_visit("row_not_put_off", ports):
        table = ports.models if ref.of_model else ports.generations
        table.put_off(ref, until=ports.clock.now() + UNREADABLE_DUE)
    return None


def _visit(row: AnyDue, blocked_until: datetime | None, found: _Due, ports: Ports) -> bool:
    """Move the row's due on and note what it needs; False when another run was first."""
    match row:
        case Photo():
            return _visit_photo(row, found, ports)
        case PersonalModel():
            return _visit_model(row, found, ports)
        case _:
            return _visit_job(row, blocked_until, found, ports)


def _visit_photo(row: Photo, found: _Due, ports: Ports) -> bool:
    """A photo that was uploaded and not told of, or whose check was lost: `check_photo` finds out."""
    now = ports.clock.now()
    again = row.model_copy(
        update={"due_at": now + PHOTO_DUE, "version": row.version + 1, "updated_at": row.updated_at}
    )
    try:
        ports.changes.commit(Change(now=now, photos=(PhotoWrite(row, again),)))
    except Conflict:
        return False
    found.check.append(Ref(row.user_id, row.row_id))
    return True


def _visit_model(row: PersonalModel, found: _Due, ports: Ports) -> bool:
    now = ports.clock.now()
    try:
        after = row.changed(now, due_at=now + DELETING_DUE)
        ports.changes.commit(Change(now=now, model=ModelWrite(row, after)))
    except Conflict:
        return False
    found.delete_models.append(ModelRef(row.user_id, row.id))
    return True


def _visit_job(row: Job, blocked_until: datetime | None, found: _Due, ports: Ports) -> bool:
    now = ports.clock.now()
    expired = row.state in (State.WAITING, State.QUEUED) and row.too_old_to_start(now)
    blocked = row.state is State.QUEUED and blocked_until is not None and blocked_until > now

    def decide(seen: Job) -> Move | None:
        if seen.version != row.version:
            return None
        if expired:
            failure = Failure(code="judge_unavailable" if row.awaits_judge else "queue_timeout")
            return Move(Event.QUEUE_AGE_EXCEEDED, State.FAILED, failure=failure)
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
            _ask(row, found)
        case State.STARTING | State.SAVING if not lease_live:
            _ask(row, found)
        case State.JUDGING if not lease_live:
            found.judge.append(_still_to_judge(row))
        case State.DELETING:
            found.delete.append(Ref(row.user_id, row.id))
    return True


def _ask(row: Job, found: _Due) -> None:
    if isinstance(row, Training):
        found.ask_of_trainings.append(row)
    elif isinstance(row, Generation):
        found.ask.append(row)


def _still_to_judge(row: Job) -> ProviderReport:
    """Return what wakes the worker that judges: that the prediction is done is all there is to report."""
    assert row.prediction_id is not None
    done = Prediction(id=row.prediction_id, status=PredictionStatus.SUCCEEDED)
    return ProviderReport(Ref(row.user_id, row.id), row.attempt, done)


def _next_due(row: Job, now: datetime) -> datetime:
    doubling = 1 << min(row.visits, 10)
    lease_until = row.lease_until if row.lease_until and row.lease_until > now else None
    # Somebody watches its progress.
    poll_max = TRAINING_POLL_MAX if isinstance(row, Training) else POLL_MAX
    match row.state:
        case State.WAITING:
            return now + WAITING_DUE
        case State.QUEUED:
            return now + min(DISPATCH_DUE * doubling, BACKOFF_MAX)
        case State.STARTING:
            return lease_until or now + START_LEASE
        case State.PROCESSING:
            first = CANCEL_DUE if row.cancel_requested_at is not None else POLL_FIRST
            again = now + min(first * doubling, poll_max)
            deadline = row.deadline_at + DEADLINE_MARGIN if row.deadline_at else again
            return min(again, deadline) if deadline > now else again
        case State.SAVING:
            # Outputs live for an hour: no doubling past the poll's maximum.
            return lease_until or now + min(POLL_FIRST * doubling, poll_max)
        case State.JUDGING:
            return lease_until or now + min(JUDGE_FIRST * doubling, JUDGE_MAX)
        case _:
            return now + DELETING_DUE
