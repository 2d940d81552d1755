"""The arithmetic of accounts: what must hold after any sequence of events, and each rule by example."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from revela.domain import account as accounts
from revela.domain.account import (
    RELEASE_GRACE,
    SPENT_GRANT_KEPT,
    Account,
    Grant,
    GrantSource,
    Portion,
    Posting,
    new_grant,
)
from revela.domain.errors import NoCredits, TooMany
from revela.domain.ledger import EntryKind, LedgerEntry, fold
from revela.domain.plans import Plan

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def a_plan(id_: str = "small", **changes: object) -> Plan:
    values: dict[str, object] = {
        "id": id_,
        "name": {"en": "Small", "pt-BR": "Pequeno"},
        "credits": 20,
        "monthly": False,
        "jobs_at_once": 2,
        "jobs_waiting": 3,
        "images_per_request": 4,
        "images_per_day": 40,
    }
    return Plan.model_validate(values | changes)


PLAN, LARGER = a_plan(), a_plan("larger", jobs_at_once=4, images_per_day=400)


def opened(plan: Plan = PLAN) -> Account:
    return accounts.open_account(user_id="ana", account_id="acc_1", plan=plan, now=NOW).account


def with_grants(*grants: Grant) -> Account:
    """Return an account with these grants and no other."""
    account = opened(a_plan(credits=0))
    for new in grants:
        account = accounts.grant(account, new, cause="test", now=NOW).account
    return account


@dataclass(frozen=True)
class Job:
    held_from: tuple[Portion, ...]
    cost: int
    images: int
    waits: bool
    since: datetime


class AccountMachine(RuleBasedStateMachine):
    """Grants, holds, hand-overs, settlements and expiries in any order, while days pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.plan = PLAN
        opening = accounts.open_account(user_id="ana", account_id="acc_1", plan=PLAN, now=NOW)
        self.account = opening.account
        self.entries: list[LedgerEntry] = list(opening.entries)
        self.jobs: list[Job] = []
        self.grants_given = 1

    def _post(self, posting: Posting) -> None:
        self.account = posting.account
        self.entries += posting.entries

    @rule(
        amount=st.integers(1, 50),
        source=st.sampled_from(sorted(accounts.PRIORITIES)),
        days=st.none() | st.integers(1, 40),
    )
    def grant(self, amount: int, source: GrantSource, days: int | None) -> None:
        self.grants_given += 1
        expires_at = None if days is None else self.now + days * DAY
        new = new_grant(f"grant:{self.grants_given}", source, amount, now=self.now, expires_at=expires_at)
        self._post(accounts.grant(self.account, new, cause=new.id, now=self.now))

    @rule(price=st.integers(0, 5), images=st.integers(1, 4))
    def hold(self, price: int, images: int) -> None:
        before, cost = self.account, price * images
        try:
            hold = accounts.hold(before, self.plan, cost=cost, images=images, now=self.now)
        except (NoCredits, TooMany):
            assert self.account is before
            return
        assert sum(p.credits for p in hold.held_from) == cost
        assert all(p.credits > 0 for p in hold.held_from)
        lapsed = {g.id for g in before.grants if g.lapsed(self.now)}
        assert lapsed.isdisjoint(p.grant_id for p in hold.held_from)
        if hold.starts_at_once:
            assert not any(job.waits for job in self.jobs), "overtook who waits"
        self._post(hold.posting)
        self.jobs.append(Job(hold.held_from, cost, images, not hold.starts_at_once, self.now))

    @rule()
    def hand_over(self) -> None:
        after = accounts.hand_over(self.account, self.plan, now=self.now)
        running = sum(not job.waits for job in self.jobs)
        heads = [index for index, job in enumerate(self.jobs) if job.waits]
        assert (after is not None) == (bool(heads) and running < self.plan.jobs_at_once)
        if after is not None:
            self.account = after
            head = self.jobs[heads[0]]
            self.jobs[heads[0]] = Job(head.held_from, head.cost, head.images, False, head.since)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        job = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        charged = 0 if job.waits else data.draw(st.integers(0, job.cost))
        self._settle(job, charged)

    @rule(hours=st.integers(1, 24))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        # No job lives longer than a day in the queue and some hours at the provider.
        for job in [job for job in self.jobs if self.now - job.since > 2 * DAY]:
            self.jobs.remove(job)
            self._settle(job, 0)

    @rule()
    def expire(self) -> None:
        self._post(accounts.expire(self.account, now=self.now))
        assert not any(g.remaining for g in self.account.grants if g.lapsed(self.now))

    @rule()
    def change_plan(self) -> None:
        self.plan = LARGER if self.plan is PLAN else PLAN

    def _settle(self, job: Job, charged: int) -> None:
        before = self.account
        self._post(
            accounts.settle(
                before,
                job.held_from,
                charged=charged,
                was_waiting=job.waits,
                undelivered_today=job.images,
                cause="gen_1",
                price_version="1",
                now=self.now,
            )
        )
        released = self.account.available - before.available
        assert released + charged == job.cost

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        account = self.account
        granted = sum(e.credits for e in self.entries if e.kind is EntryKind.GRANT)
        expired = -sum(e.credits for e in self.entries if e.kind is EntryKind.EXPIRE)
        assert account.available + account.held + account.spent == granted - expired

    @invariant()
    def the_ledger_alone_tells_the_balance(self) -> None:
        account = self.account
        assert fold(self.entries) == (account.available + account.held, account.spent)
        assert [e.number for e in self.entries] == list(range(1, account.entries + 1))
        assert self.entries[-1].balance == account.available + account.held
        assert all(e.credits for e in self.entries if e.kind is not EntryKind.GRANT)

    @invariant()
    def grants_add_up_to_what_is_available(self) -> None:
        grants = self.account.grants
        assert sum(g.remaining for g in grants) == self.account.available
        assert all(g.remaining >= 0 for g in grants)
        assert len({g.id for g in grants}) == len(grants)

    @invariant()
    def holds_and_places_are_those_of_live_jobs(self) -> None:
        account = self.account
        assert account.held == sum(job.cost for job in self.jobs)
        assert account.running == sum(not job.waits for job in self.jobs)
        assert account.waiting == sum(job.waits for job in self.jobs)
        assert min(account.available, account.held, account.spent, account.images_today) >= 0


AccountMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
TestAccountInvariants = AccountMachine.TestCase


# Opening


def test_an_account_opens_with_the_plans_credits_and_one_entry() -> None:
    account, entries = accounts.open_account(user_id="ana", account_id="acc_1", plan=PLAN, now=NOW)

    assert (account.available, account.held, account.spent, account.entries) == (20, 0, 0, 1)
    assert [(e.number, e.kind, e.credits, e.balance, e.cause) for e in entries] == [
        (1, EntryKind.GRANT, 20, 20, "opened")
    ]
    assert account.grants[0].expires_at is None


def test_monthly_credits_lapse_after_a_month() -> None:
    assert opened(a_plan(monthly=True)).grants[0].expires_at == NOW + timedelta(days=31)


# Holding


def test_promotions_burn_first_then_what_lapses_soonest_then_the_oldest() -> None:
    account = with_grants(
        new_grant("pack", "pack", 5, now=NOW),
        new_grant("plan-late", "plan", 5, now=NOW, expires_at=NOW + 20 * DAY),
        new_grant("plan-forever", "plan", 5, now=NOW),
        new_grant("plan-soon", "plan", 5, now=NOW, expires_at=NOW + 10 * DAY),
        new_grant("plan-forever-older", "plan", 5, now=NOW - DAY),
        new_grant("promotion", "promotion", 5, now=NOW),
    )

    hold = accounts.hold(account, LARGER, cost=28, images=1, now=NOW)

    assert [(p.grant_id, p.credits) for p in hold.held_from] == [
        ("promotion", 5),
        ("plan-soon", 5),
        ("plan-late", 5),
        ("plan-forever-older", 5),
        ("plan-forever", 5),
        ("pack", 3),
    ]


def test_the_last_credit_can_be_held_and_not_one_more() -> None:
    assert accounts.hold(opened(), PLAN, cost=20, images=1, now=NOW).posting.account.available == 0
    with pytest.raises(NoCredits) as refused:
        accounts.hold(opened(), PLAN, cost=21, images=1, now=NOW)
    assert refused.value.args_ == {"required": 21, "available": 20}


def test_lapsed_credits_are_written_off_before_they_can_be_held() -> None:
    account = with_grants(new_grant("promotion", "promotion", 5, now=NOW, expires_at=NOW + DAY))

    with pytest.raises(NoCredits) as refused:
        accounts.hold(account, PLAN, cost=5, images=1, now=NOW + DAY)
    assert refused.value.args_ == {"required": 5, "available": 0}
    just_in_time = accounts.hold(account, PLAN, cost=5, images=1, now=NOW + DAY - timedelta(microseconds=1))
    assert just_in_time.posting.entries == ()


def test_a_hold_that_meets_lapsed_credits_writes_their_end() -> None:
    account = with_grants(
        new_grant("promotion", "promotion", 5, now=NOW, expires_at=NOW + DAY),
        new_grant("pack", "pack", 5, now=NOW),
    )

    hold = accounts.hold(account, PLAN, cost=5, images=1, now=NOW + DAY)

    assert [(e.kind, e.credits, e.balance, e.cause) for e in hold.posting.entries] == [
        (EntryKind.EXPIRE, -5, 5, "promotion")
    ]
    assert [p.grant_id for p in hold.held_from] == ["pack"]


def test_jobs_start_until_the_plan_is_full_then_wait_until_the_room_is_full() -> None:
    account, started = opened(), []
    for _ in range(PLAN.jobs_at_once + PLAN.jobs_waiting):
        hold = accounts.hold(account, PLAN, cost=1, images=1, now=NOW)
        account = hold.posting.account
        started.append(hold.starts_at_once)

    assert started == [True, True, False, False, False]
    with pytest.raises(TooMany) as refused:
        accounts.hold(account, PLAN, cost=1, images=1, now=NOW)
    assert (refused.value.code, refused.value.retry_after_s) == ("too_many_jobs", 30)


def test_nobody_overtakes_who_waits_even_when_a_place_is_free() -> None:
    account = opened().model_copy(update={"running": 1, "waiting": 1})

    assert not accounts.hold(account, PLAN, cost=1, images=1, now=NOW).starts_at_once


def test_images_of_the_day_are_limited_and_the_next_day_starts_anew() -> None:
    account = opened().model_copy(update={"images_today": 39})

    assert accounts.hold(account, PLAN, cost=1, images=1, now=NOW).posting.account.images_today == 40
    with pytest.raises(TooMany) as refused:
        accounts.hold(account, PLAN, cost=2, images=2, now=NOW)
    assert refused.value.code == "daily_limit_reached"
    assert refused.value.retry_after_s is not None
    next_day = NOW + timedelta(seconds=refused.value.retry_after_s)
    assert next_day.date() == (NOW + DAY).date()
    tomorrow = accounts.hold(account, PLAN, cost=2, images=2, now=next_day).posting.account
    assert (tomorrow.images_today, tomorrow.day) == (2, next_day.date())


# Settling


def settled(
    account: Account,
    held_from: tuple[Portion, ...],
    charged: int,
    *,
    now: datetime = NOW,
    undelivered: int = 0,
) -> Posting:
    return accounts.settle(
        account,
        held_from,
        charged=charged,
        was_waiting=False,
        undelivered_today=undelivered,
        cause="gen_1",
        price_version="7",
        now=now,
    )


def test_what_is_charged_is_captured_and_the_rest_goes_back_where_it_came_from() -> None:
    account = with_grants(
        new_grant("promotion", "promotion", 4, now=NOW), new_grant("pack", "pack", 10, now=NOW)
    )
    hold = accounts.hold(account, PLAN, cost=12, images=4, now=NOW)

    after, entries = settled(hold.posting.account, hold.held_from, 9, undelivered=1)

    assert {g.id: g.remaining for g in after.grants if g.remaining} == {"pack": 5}
    assert (after.available, after.held, after.spent, after.running, after.images_today) == (5, 0, 9, 0, 3)
    assert [(e.kind, e.credits, e.balance, e.cause, e.price_version) for e in entries] == [
        (EntryKind.CAPTURE, -9, 5, "gen_1", "7")
    ]


def test_a_full_release_leaves_no_trace_in_the_ledger() -> None:
    account = opened()
    hold = accounts.hold(account, PLAN, cost=12, images=4, now=NOW)

    after, entries = settled(hold.posting.account, hold.held_from, 0, undelivered=4)

    assert entries == ()
    assert after == account


def test_credits_that_come_back_to_a_lapsed_grant_live_seven_more_days() -> None:
    account = with_grants(new_grant("promotion", "promotion", 5, now=NOW, expires_at=NOW + DAY))
    hold = accounts.hold(account, PLAN, cost=5, images=1, now=NOW)
    released_at = NOW + 2 * DAY

    after = settled(hold.posting.account, hold.held_from, 0, now=released_at).account

    assert (after.available, after.grants[-1].expires_at) == (5, released_at + RELEASE_GRACE)
    kept = accounts.expire(after, now=released_at + RELEASE_GRACE - timedelta(microseconds=1))
    gone = accounts.expire(after, now=released_at + RELEASE_GRACE)
    assert (kept.account.available, gone.account.available) == (5, 0)


def test_credits_that_come_back_in_time_get_no_grace() -> None:
    account = with_grants(new_grant("promotion", "promotion", 5, now=NOW, expires_at=NOW + DAY))
    hold = accounts.hold(account, PLAN, cost=5, images=1, now=NOW)

    after = settled(hold.posting.account, hold.held_from, 0, now=NOW + timedelta(hours=1)).account

    assert after.grants[-1].expires_at == NOW + DAY


@pytest.mark.parametrize("charged", [-1, 4])
def test_no_more_than_the_hold_and_no_less_than_nothing_is_charged(charged: int) -> None:
    hold = accounts.hold(opened(), PLAN, cost=3, images=1, now=NOW)

    with pytest.raises(ValueError, match="cannot charge"):
        settled(hold.posting.account, hold.held_from, charged)


def test_a_waiting_job_frees_its_place_in_the_waiting_room() -> None:
    account = opened().model_copy(update={"running": 2})
    hold = accounts.hold(account, PLAN, cost=3, images=1, now=NOW)

    after = accounts.settle(
        hold.posting.account,
        hold.held_from,
        charged=0,
        was_waiting=True,
        undelivered_today=1,
        cause="gen_1",
        price_version="7",
        now=NOW,
    ).account

    assert (after.running, after.waiting) == (2, 0)


# Forgetting


def test_a_spent_grant_is_kept_for_releases_and_then_forgotten() -> None:
    ends = NOW + DAY
    account = with_grants(new_grant("promotion", "promotion", 5, now=NOW, expires_at=ends))
    account = accounts.expire(account, now=ends).account

    def ids(now: datetime) -> list[str]:
        return [g.id for g in accounts.expire(account, now=now).account.grants]

    assert "promotion" in ids(ends + SPENT_GRANT_KEPT - timedelta(microseconds=1))
    assert "promotion" not in ids(ends + SPENT_GRANT_KEPT)


def test_with_nothing_lapsed_expiring_changes_nothing() -> None:
    account = opened()

    assert accounts.expire(account, now=NOW + 365 * DAY) == Posting(account)
