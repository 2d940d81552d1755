"""How every move of a job is written: read, decide, write; decide again when the row moved.

This is the one place that ends holds. A move to a terminal state settles the account in the same
transaction and then hands the freed place to whoever waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple

from revela.domain import account as accounts
from revela.domain.change import AccountWrite, Change, JobWrite, ModelWrite, PredictionClaim
from revela.domain.errors import Conflict, Transient
from revela.domain.generation import Generation
from revela.domain.job import AnyJob, Event, Failure, Job, State, step
from revela.domain.ledger import LedgerEntry
from revela.domain.policy import DISPATCH_DUE
from revela.ports import Ports, Ref
from revela.usecases.contention import contended
from revela.usecases.strikes import tell_of_suspension

# Metrics of jobs that ended, and of how long they took.
ENDED = {
    ("generation", State.SUCCEEDED): "GenerationsSucceeded",
    ("generation", State.FAILED): "GenerationsFailed",
    ("generation", State.CANCELED): "GenerationsCanceled",
    ("training", State.SUCCEEDED): "TrainingsSucceeded",
    ("training", State.FAILED): "TrainingsFailed",
    ("training", State.CANCELED): "TrainingsCanceled",
}
DURATION = {"generation": "GenerationDuration", "training": "TrainingDuration"}


@dataclass(frozen=True)
class Move:
    """What a decision wants; `changes` are fields of the row beyond what `step` sets.

    Of a move that ends the job, `charge` is captured of its hold, and `delivered` images count for the day;
    of `blocked` ones, those beyond the day's free number are captured too. `strike`: it counts against the
    user. `billed_cancel`: the user canceled a job that the provider was running, and bills.
    """

    event: Event
    to: State
    changes: Mapping[str, Any] = field(default_factory=dict)
    prediction: PredictionClaim | None = None
    model: ModelWrite | None = None
    charge: int = 0
    delivered: int = 0
    blocked: int = 0
    strike: bool = False
    failure: Failure | None = None
    billed_cancel: bool = False


class Moved(NamedTuple, Generic[AnyJob]):
    """`row` as it now is; `moved` tells whether this call moved it."""

    row: AnyJob | None
    moved: bool


def move(
    ref: Ref, decide: Callable[[AnyJob], Move | None], *, ports: Ports, seen: AnyJob | None = None
) -> Moved[AnyJob]:
    """Move one job as `decide` says of the row that is there; None means: leave it.

    `seen` saves the first read.

    Raises:
        Conflict: the prediction belongs to another job (`failed` has "prediction").
        Transient: others kept writing for too long.
    """
    row = seen or _get(ref, ports)
    for _ in contended(ports):
        if row is None:
            return Moved(None, False)
        wanted = decide(row)
        if wanted is None:
            return Moved(row, False)
        try:
            return Moved(_write(row, wanted, ports), True)
        except Conflict as conflict:
            # With the row changed as well, the next look may find that it knows this prediction.
            if "prediction" in conflict.failed and "job" not in conflict.failed:
                raise
        row = _get(ref, ports)
    raise Transient("the job or its account was written by others for too long")


def hand_over(user_id: str, *, ports: Ports) -> None:
    """Give free places to the jobs that have waited longest, one transaction each."""
    try:
        while _hand_over_one(user_id, ports):
            pass
    except ValueError as error:
        # The head of the line was written by another version of this code: the line waits for it alone.
        ports.telemetry.warning("head_unreadable", user_id=user_id, reason=type(error).__name__)


def send_starts(refs: list[Ref], *, ports: Ports) -> None:
    """Tell the workers. A message is a hint: what cannot be sent is due soon, and sent then."""
    try:
        ports.commands.start(refs)
    except Transient as error:
        ports.telemetry.warning("start_not_sent", count=len(refs), reason=str(error))


def _hand_over_one(user_id: str, ports: Ports) -> bool:
    for _ in contended(ports):
        head = ports.generations.first_waiting(user_id)
        account = ports.accounts.get(user_id) if head else None
        if head is None or account is None:
            return False
        now = ports.clock.now()
        after = accounts.hand_over(account, ports.catalog.plan(account.plan), now=now)
        if after is None:
            return False
        row = ports.generations.get(head)
        if row is None or row.state is not State.WAITING:
            continue
        queued = step(row, Event.HANDED_OVER, State.QUEUED, now=now, due_at=now + DISPATCH_DUE)
        try:
            ports.changes.commit(
                Change(
                    now=now,
                    job=JobWrite(row, queued),
                    account=AccountWrite(account, after),
                    pointer_removed=row,
                )
            )
        except Conflict:
            continue
        send_starts([head], ports=ports)
        return True
    return False


def _get(ref: Ref, ports: Ports) -> Any:
    return (ports.trainings if ref.of_training else ports.generations).get(ref)


def _write(before: AnyJob, wanted: Move, ports: Ports) -> AnyJob:
    now = ports.clock.now()
    ends = wanted.to.terminal and before.state.live
    changes = dict(wanted.changes)
    account: AccountWrite | None = None
    entries: tuple[LedgerEntry, ...] = ()
    if ends:
        charged, account, entries = _settlement(before, wanted, ports)
        changes |= {"credits_charged": charged, "failure": wanted.failure}
    after = step(before, wanted.event, wanted.to, now=now, **changes)
    ports.changes.commit(
        Change(
            now=now,
            job=JobWrite(before, after),
            account=account,
            entries=entries,
            pointer_removed=before
            if ends and isinstance(before, Generation) and before.place == "waiting"
            else None,
            prediction=wanted.prediction,
            model=wanted.model,
        )
    )
    _report(before, after, ports)
    if account is not None and account.before is not None:
        tell_of_suspension(account.before, account.after, ports=ports)
    if ends and before.place != "training":
        hand_over(before.user_id, ports=ports)
    return after


def _settlement(before: Job, wanted: Move, ports: Ports) -> tuple[int, AccountWrite, tuple[LedgerEntry, ...]]:
    """Return what is charged, and how the account and its ledger change."""
    account = ports.accounts.get(before.user_id)
    if account is None:
        raise Transient("a live job without an account")
    now = ports.clock.now()
    charged, counted = wanted.charge, account
    if wanted.billed_cancel:
        plan = ports.catalog.plan(account.plan)
        counted, charged = accounts.count_cancel(account, plan, held=before.credits_held, now=now)
    if wanted.blocked and isinstance(before, Generation):
        plan = ports.catalog.plan(account.plan)
        counted, beyond = accounts.count_blocks(counted, plan, images=wanted.blocked, now=now)
        charged = min(before.credits_held, charged + beyond * before.credits_per_image)
    if wanted.strike:
        counted = accounts.strike(counted, limit=ports.policies.strikes_per_day, now=now)
    posting = accounts.settle(
        counted,
        before.held_from,
        charged=charged,
        place=before.place,
        undelivered_today=before.images_asked - wanted.delivered
        if before.created_at.date() == account.day
        else 0,
        cause=before.id,
        price_version=before.price_version,
        now=now,
    )
    return charged, AccountWrite(account, posting.account), posting.entries


def _report(before: Job, after: Job, ports: Ports) -> None:
    if after.state is before.state:
        return
    telemetry = ports.telemetry
    failure = after.failure.code if after.failure else None
    telemetry.info(
        f"{after.KIND}_moved",
        user_id=after.user_id,
        **{f"{after.KIND}_id": after.id},
        attempt=after.attempt,
        from_state=before.state,
        to_state=after.state,
        failure=failure,
        prediction_id=after.prediction_id,
    )
    if not after.state.terminal or not before.state.live:
        return
    telemetry.count(ENDED[after.KIND, after.state])
    if failure:
        telemetry.count(f"Failed_{failure}")
    telemetry.count("CreditsCharged", after.credits_charged)
    telemetry.count("ProviderCostMicroUsd", after.provider_cost_micro_usd)
    telemetry.count(
        DURATION[after.KIND],
        (after.updated_at - after.created_at).total_seconds() * 1000,
        unit="Milliseconds",
    )
