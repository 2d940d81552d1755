"""The arithmetic of accounts, each rule by example; `test_account_invariants` has what always holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from revela.domain import account as accounts
from revela.domain.account import (
    RELEASE_GRACE,
    SPENT_GRANT_KEPT,
    Account,
    Grant,
    Portion,
    Posting,
    new_grant,
)
from revela.domain.errors import NoCredits, NotInPlan, TooMany
from revela.domain.ledger import EntryKind
from revela.domain.plans import Plan
from tests.examples import a_plan

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


PLAN, LARGER = a_plan(), a_plan("larger", jobs_at_once=4, images_per_day=400)


def opened(plan: Plan = PLAN) -> Account:
    return accounts.open_account(user_id="ana", account_id="acc_1", plan=plan, now=NOW).account


def with_grants(*grants: Grant) -> Account:
    """Return an account with these grants and no other."""
    account = opened(a_plan(credits=0))
    for new in grants:
        account = accounts.grant(account, new, cause="test", now=NOW).account
    return account


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


@pytest.mark.parametrize(
    "part_of_a_second", [timedelta(0), timedelta(microseconds=1), timedelta(seconds=0.5)]
)
def test_who_comes_back_when_told_finds_the_next_day(part_of_a_second: timedelta) -> None:
    account, now = opened().model_copy(update={"images_today": 40}), NOW + part_of_a_second
    with pytest.raises(TooMany) as refused:
        accounts.hold(account, PLAN, cost=1, images=1, now=now)

    assert refused.value.retry_after_s is not None
    assert (now + timedelta(seconds=refused.value.retry_after_s)).date() == (NOW + DAY).date()


# Trainings


def test_a_training_holds_its_price_and_has_a_place_of_its_own() -> None:
    hold = accounts.hold_training(opened(), PLAN, cost=12, now=NOW)

    after = hold.posting.account
    assert (after.available, after.held, after.trainings) == (8, 12, 1)
    assert (after.running, after.waiting, after.images_today) == (0, 0, 0)
    assert (hold.held_from, hold.starts_at_once) == ((Portion(grant_id="plan:small", credits=12),), True)
    assert hold.posting.entries == ()


def test_trainings_beyond_the_plan_are_refused_and_wait_in_no_line() -> None:
    account = accounts.hold_training(opened(), PLAN, cost=1, now=NOW).posting.account

    with pytest.raises(TooMany) as refused:
        accounts.hold_training(account, PLAN, cost=1, now=NOW)

    assert (refused.value.code, refused.value.args_) == ("too_many_trainings", {"limit": 1})


def test_a_plan_without_trainings_has_none() -> None:
    with pytest.raises(NotInPlan):
        accounts.hold_training(opened(), a_plan(trainings_at_once=0), cost=1, now=NOW)


def test_the_last_credit_can_be_held_for_a_training_and_not_one_more() -> None:
    assert accounts.hold_training(opened(), PLAN, cost=20, now=NOW).posting.account.available == 0
    with pytest.raises(NoCredits):
        accounts.hold_training(opened(), PLAN, cost=21, now=NOW)


def test_lapsed_credits_pay_for_no_training() -> None:
    account = with_grants(new_grant("promotion", "promotion", 5, now=NOW, expires_at=NOW + DAY))

    with pytest.raises(NoCredits):
        accounts.hold_training(account, PLAN, cost=5, now=NOW + DAY)


def test_a_training_neither_overtakes_nor_holds_up_who_waits() -> None:
    account = opened()
    for _ in range(3):
        account = accounts.hold(account, PLAN, cost=1, images=1, now=NOW).posting.account
    assert account.waiting == 1

    account = accounts.hold_training(account, PLAN, cost=1, now=NOW).posting.account

    assert (account.running, account.waiting, account.trainings) == (2, 1, 1)
    assert accounts.hand_over(account, PLAN, now=NOW) is None


@pytest.mark.parametrize(("charged", "entries"), [(12, [(EntryKind.CAPTURE, -12)]), (0, [])])
def test_a_settled_training_gives_its_place_back(charged: int, entries: list[tuple[EntryKind, int]]) -> None:
    hold = accounts.hold_training(opened(), PLAN, cost=12, now=NOW)

    posting = accounts.settle(
        hold.posting.account,
        hold.held_from,
        charged=charged,
        place="training",
        undelivered_today=0,
        cause="mdl_1#trn_1",
        price_version="1",
        now=NOW,
    )

    after = posting.account
    assert (after.trainings, after.running, after.held) == (0, 0, 0)
    assert (after.available, after.spent) == (20 - charged, charged)
    assert [(e.kind, e.credits) for e in posting.entries] == entries


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
        place="running",
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
        place="waiting",
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
