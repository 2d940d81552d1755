"""Accounts: the arithmetic of holds, captures and releases, on whole credits.

Nothing here writes. Each function takes an account and returns the account after it, with the
ledger entries that must be written in the same transaction. What must always be true:

    available + held + spent == granted + adjusted - expired
    sum(grant.remaining) == available,  held >= 0,  spent >= 0
    fold(entries) == (available + held, spent)
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from revela.domain.errors import NoCredits, NotInPlan, Suspended, TooMany
from revela.domain.ledger import EntryKind, LedgerEntry
from revela.domain.plans import Plan
from revela.domain.policy import SUSPENSIONS

RELEASE_GRACE = timedelta(days=7)
# A spent grant is kept this long past its end, so that a release still finds where to go.
SPENT_GRANT_KEPT = timedelta(days=30)

GrantSource = Literal["plan", "pack", "promotion", "operator"]
# Which of an account's counters a live job is in. Trainings stand in nobody's line.
Place = Literal["waiting", "running", "training"]
# Promotional credits burn before paid ones.
PRIORITIES: dict[GrantSource, int] = {"promotion": 0, "plan": 10, "operator": 20, "pack": 30}


class Grant(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    source: GrantSource
    priority: int
    granted_at: datetime
    expires_at: datetime | None = None
    remaining: int

    def lapsed(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class Portion(BaseModel):
    """The part of a hold that came from one grant; a release goes back where it came from."""

    model_config = ConfigDict(frozen=True)

    grant_id: str
    credits: int


class Suspension(BaseModel):
    """Nothing can be asked for before `until`."""

    model_config = ConfigDict(frozen=True)

    reason: Literal["too_many_refusals"]
    since: datetime
    until: datetime

    @property
    def spoken_until(self) -> str:
        """Return its end as texts for people say it."""
        return f"{self.until:%Y-%m-%d %H:%M} UTC"


class Account(BaseModel):
    """`strikes_today` counts refused prompts and generations of which something was blocked.

    `blocks_today` counts images that were; `suspensions`, how often strikes have suspended the account.
    """

    model_config = ConfigDict(frozen=True)

    user_id: str
    account_id: str
    plan: str
    available: int = 0
    held: int = 0
    spent: int = 0
    running: int = 0
    waiting: int = 0
    trainings: int = 0
    entries: int = 0
    grants: tuple[Grant, ...] = ()
    day: date
    images_today: int = 0
    cancels_today: int = 0
    blocks_today: int = 0
    strikes_today: int = 0
    suspension: Suspension | None = None
    suspensions: int = 0
    version: int = 1
    created_at: datetime
    updated_at: datetime


class Posting(NamedTuple):
    """An account after something happened, and the ledger entries that say so."""

    account: Account
    entries: tuple[LedgerEntry, ...] = ()


class Hold(NamedTuple):
    posting: Posting
    held_from: tuple[Portion, ...]
    starts_at_once: bool


def open_account(*, user_id: str, account_id: str, plan: Plan, now: datetime) -> Posting:
    account = Account(
        user_id=user_id, account_id=account_id, plan=plan.id, day=now.date(), created_at=now, updated_at=now
    )
    return grant(account, plan_grant(plan, grant_id=f"plan:{plan.id}", now=now), cause="opened", now=now)


def plan_grant(plan: Plan, *, grant_id: str, now: datetime) -> Grant:
    return new_grant(
        grant_id, "plan", plan.credits, now=now, expires_at=now + timedelta(days=31) if plan.monthly else None
    )


def new_grant(
    grant_id: str, source: GrantSource, credits_: int, *, now: datetime, expires_at: datetime | None = None
) -> Grant:
    return Grant(
        id=grant_id,
        source=source,
        priority=PRIORITIES[source],
        granted_at=now,
        expires_at=expires_at,
        remaining=credits_,
    )


def grant(account: Account, new: Grant, *, cause: str, now: datetime) -> Posting:
    after = _changed(account, now, available=account.available + new.remaining, grants=(*account.grants, new))
    return _posted(after, EntryKind.GRANT, new.remaining, cause=cause, now=now)


def expire(account: Account, *, now: datetime) -> Posting:
    """Write off what is left of lapsed grants and forget the ones that nothing can return to."""
    entries: tuple[LedgerEntry, ...] = ()
    for lapsed in [g for g in account.grants if g.remaining and g.lapsed(now)]:
        account = _changed(
            account,
            now,
            available=account.available - lapsed.remaining,
            grants=_replaced(account.grants, lapsed.model_copy(update={"remaining": 0})),
        )
        posting = _posted(account, EntryKind.EXPIRE, -lapsed.remaining, cause=lapsed.id, now=now)
        account, entries = posting.account, entries + posting.entries
    kept = tuple(
        g
        for g in account.grants
        if g.remaining or g.expires_at is None or g.expires_at + SPENT_GRANT_KEPT > now
    )
    if kept != account.grants:
        account = _changed(account, now, grants=kept)
    return Posting(account, entries)


def hold(account: Account, plan: Plan, *, cost: int, images: int, now: datetime) -> Hold:
    """Take `cost` out of what is available, burning grants in order, and find the job its place.

    A job starts at once when the plan has room and nobody of the same account waits: no overtaking.

    Raises:
        NoCredits: fewer credits are available than `cost`.
        TooMany: the plan's waiting room or its images of the day are used up.
    """
    account, entries = _able_to_pay(account, cost, now)
    account = _of_today(account, now)
    images_today = account.images_today + images
    if images_today > plan.images_per_day:
        raise TooMany("daily_limit_reached", limit=plan.images_per_day, retry_after_s=_until_midnight_s(now))
    starts = account.running < plan.jobs_at_once and account.waiting == 0
    if not starts and account.waiting >= plan.jobs_waiting:
        raise TooMany("too_many_jobs", running=plan.jobs_at_once, waiting=plan.jobs_waiting, retry_after_s=30)
    after, held_from = _held(account, cost, now)
    after = _placed(after, "running" if starts else "waiting", 1, now)
    after = _changed(after, now, images_today=images_today)
    return Hold(Posting(after, entries), held_from, starts)


def hold_training(account: Account, plan: Plan, *, cost: int, now: datetime) -> Hold:
    """Take `cost` out of what is available for a training, which starts at once or not at all.

    Raises:
        NotInPlan: the plan has no trainings.
        NoCredits: fewer credits are available than `cost`.
        TooMany: the plan has no training left to run at the same time.
    """
    if not plan.trainings_at_once:
        raise NotInPlan("plan_without_trainings")
    account, entries = _able_to_pay(account, cost, now)
    if account.trainings >= plan.trainings_at_once:
        raise TooMany("too_many_trainings", limit=plan.trainings_at_once, retry_after_s=60)
    after, held_from = _held(account, cost, now)
    return Hold(Posting(_placed(after, "training", 1, now), entries), held_from, True)


def hand_over(account: Account, plan: Plan, *, now: datetime) -> Account | None:
    """Move one waiting job to running, or None when there is no room or no one waits."""
    if account.waiting == 0 or account.running >= plan.jobs_at_once:
        return None
    return _changed(account, now, waiting=account.waiting - 1, running=account.running + 1)


def count_cancel(account: Account, plan: Plan, *, held: int, now: datetime) -> tuple[Account, int]:
    """Count the cancel of a job that was running, and return how much of its hold is captured.

    The provider bills the time it ran: beyond the plan's free number of a day, all of it.
    """
    account = _of_today(account, now)
    charged = 0 if account.cancels_today < plan.free_cancels_per_day else held
    return _changed(account, now, cancels_today=account.cancels_today + 1), charged


def count_blocks(account: Account, plan: Plan, *, images: int, now: datetime) -> tuple[Account, int]:
    """Count images that were blocked, and return how many of them are charged all the same.

    The provider bills them: those beyond the plan's free number of a day.
    """
    account = _of_today(account, now)
    free = max(0, plan.free_blocks_per_day - account.blocks_today)
    return _changed(account, now, blocks_today=account.blocks_today + images), max(0, images - free)


def strike(account: Account, *, limit: int, now: datetime) -> Account:
    """Count something that was refused or blocked; one more than `limit` in a day suspends the account.

    Each suspension is longer than the one before. While one lasts nothing counts: what was under way when it
    began is no reason for the next.
    """
    account = _of_today(account, now)
    if suspended(account, now):
        return account
    strikes = account.strikes_today + 1
    if strikes <= limit:
        return _changed(account, now, strikes_today=strikes)
    lasts = SUSPENSIONS[min(account.suspensions, len(SUSPENSIONS) - 1)]
    suspension = Suspension(reason="too_many_refusals", since=now, until=now + lasts)
    return _changed(
        account, now, strikes_today=strikes, suspension=suspension, suspensions=account.suspensions + 1
    )


def lift(account: Account, *, now: datetime) -> Account:
    """End a suspension as if it had never been."""
    if account.suspension is None:
        return account
    return _changed(
        account, now, suspension=None, suspensions=max(0, account.suspensions - 1), strikes_today=0
    )


def suspended(account: Account, now: datetime) -> bool:
    return account.suspension is not None and account.suspension.until > now


def require_standing(account: Account, now: datetime) -> None:
    """Raises Suspended while the account may not ask for anything."""
    if account.suspension is None or not suspended(account, now):
        return
    left = account.suspension.until - now
    raise Suspended(
        "account_suspended",
        until=account.suspension.spoken_until,
        retry_after_s=int(left.total_seconds()) + 1,
    )


def settle(
    account: Account,
    held_from: tuple[Portion, ...],
    *,
    charged: int,
    place: Place,
    undelivered_today: int,
    cause: str,
    price_version: str,
    now: datetime,
) -> Posting:
    """End a hold: capture `charged` credits of it and return the rest to the grants it came from."""
    held = sum(p.credits for p in held_from)
    if not 0 <= charged <= held:
        raise ValueError(f"cannot charge {charged} of a hold of {held}")
    grants, to_capture = list(account.grants), charged
    for portion in held_from:
        captured = min(portion.credits, to_capture)
        to_capture -= captured
        if released := portion.credits - captured:
            grants = _returned(grants, portion.grant_id, released, now=now)
    after = _changed(
        account,
        now,
        available=account.available + held - charged,
        held=account.held - held,
        spent=account.spent + charged,
        grants=tuple(grants),
        images_today=max(0, account.images_today - undelivered_today),
    )
    after = _placed(after, place, -1, now)
    if not charged:
        return Posting(after)
    return _posted(after, EntryKind.CAPTURE, -charged, cause=cause, price_version=price_version, now=now)


def _able_to_pay(account: Account, cost: int, now: datetime) -> Posting:
    """Return the account without what has lapsed. Raises NoCredits."""
    posting = expire(account, now=now)
    if posting.account.available < cost:
        raise NoCredits("insufficient_credits", required=cost, available=posting.account.available)
    return posting


def _held(account: Account, cost: int, now: datetime) -> tuple[Account, tuple[Portion, ...]]:
    grants, held_from = _burn(account.grants, cost)
    after = _changed(
        account, now, available=account.available - cost, held=account.held + cost, grants=grants
    )
    return after, held_from


def _placed(account: Account, place: Place, by: int, now: datetime) -> Account:
    """Count one job more or less where live jobs are counted."""
    match place:
        case "waiting":
            return _changed(account, now, waiting=account.waiting + by)
        case "running":
            return _changed(account, now, running=account.running + by)
        case "training":
            return _changed(account, now, trainings=account.trainings + by)


def _burn(grants: tuple[Grant, ...], cost: int) -> tuple[tuple[Grant, ...], tuple[Portion, ...]]:
    order = sorted(
        grants, key=lambda g: (g.priority, g.expires_at is None, g.expires_at or g.granted_at, g.granted_at)
    )
    left, portions, burnt = cost, [], {}
    for g in order:
        taken = min(left, g.remaining)
        if taken:
            portions.append(Portion(grant_id=g.id, credits=taken))
            burnt[g.id] = g.model_copy(update={"remaining": g.remaining - taken})
            left -= taken
    return tuple(burnt.get(g.id, g) for g in grants), tuple(portions)


def _returned(grants: list[Grant], grant_id: str, credits_: int, *, now: datetime) -> list[Grant]:
    """Give credits back to a grant; one that lapsed meanwhile gets some days of grace."""
    index = next(i for i, g in enumerate(grants) if g.id == grant_id)
    found = grants[index]
    expires_at = now + RELEASE_GRACE if found.lapsed(now) else found.expires_at
    returned = found.model_copy(update={"remaining": found.remaining + credits_, "expires_at": expires_at})
    return [*grants[:index], returned, *grants[index + 1 :]]


def _of_today(account: Account, now: datetime) -> Account:
    if account.day == now.date():
        return account
    return _changed(
        account, now, day=now.date(), images_today=0, cancels_today=0, blocks_today=0, strikes_today=0
    )


def _replaced(grants: tuple[Grant, ...], new: Grant) -> tuple[Grant, ...]:
    return tuple(new if g.id == new.id else g for g in grants)


def _changed(account: Account, now: datetime, **values: object) -> Account:
    return account.model_copy(update={**values, "updated_at": now})


def _posted(
    account: Account,
    kind: EntryKind,
    credits_: int,
    *,
    cause: str,
    now: datetime,
    price_version: str | None = None,
) -> Posting:
    after = account.model_copy(update={"entries": account.entries + 1})
    entry = LedgerEntry(
        account_id=account.account_id,
        number=after.entries,
        kind=kind,
        credits=credits_,
        balance=after.available + after.held,
        cause=cause,
        price_version=price_version,
        created_at=now,
    )
    return Posting(after, (entry,))


def _until_midnight_s(now: datetime) -> int:
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight - now).total_seconds()) + 1
