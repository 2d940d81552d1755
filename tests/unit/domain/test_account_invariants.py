"""What must be true of an account and its ledger after any sequence of events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from revela.domain import account as accounts
from revela.domain.account import GrantSource, Place, Portion, Posting, new_grant
from revela.domain.errors import NoCredits, TooMany
from revela.domain.ledger import EntryKind, LedgerEntry, fold
from tests.examples import a_plan

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN, LARGER = a_plan(), a_plan("larger", jobs_at_once=4, images_per_day=400, trainings_at_once=3)


@dataclass(frozen=True)
class Job:
    held_from: tuple[Portion, ...]
    cost: int
    images: int
    place: Place
    since: datetime

    @property
    def waits(self) -> bool:
        return self.place == "waiting"


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
        hours=st.none() | st.integers(1, 72) | st.integers(24, 1000),
    )
    def grant(self, amount: int, source: GrantSource, hours: int | None) -> None:
        self.grants_given += 1
        expires_at = None if hours is None else self.now + timedelta(hours=hours)
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
        place: Place = "running" if hold.starts_at_once else "waiting"
        self.jobs.append(Job(hold.held_from, cost, images, place, self.now))

    @rule(cost=st.integers(0, 30))
    def hold_training(self, cost: int) -> None:
        before, trains = self.account, sum(job.place == "training" for job in self.jobs)
        try:
            hold = accounts.hold_training(before, self.plan, cost=cost, now=self.now)
        except (NoCredits, TooMany):
            assert self.account is before
            return
        assert trains < self.plan.trainings_at_once
        assert sum(p.credits for p in hold.held_from) == cost
        self._post(hold.posting)
        self.jobs.append(Job(hold.held_from, cost, 0, "training", self.now))

    @rule()
    def hand_over(self) -> None:
        after = accounts.hand_over(self.account, self.plan, now=self.now)
        running = sum(job.place == "running" for job in self.jobs)
        heads = [index for index, job in enumerate(self.jobs) if job.waits]
        assert (after is not None) == (bool(heads) and running < self.plan.jobs_at_once)
        if after is not None:
            self.account = after
            head = self.jobs[heads[0]]
            self.jobs[heads[0]] = replace(head, place="running")

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
                place=job.place,
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
        assert account.running == sum(job.place == "running" for job in self.jobs)
        assert account.waiting == sum(job.place == "waiting" for job in self.jobs)
        assert account.trainings == sum(job.place == "training" for job in self.jobs)
        assert min(account.available, account.held, account.spent, account.images_today) >= 0


AccountMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
TestAccountInvariants = AccountMachine.TestCase
