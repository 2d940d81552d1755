"""Strikes, suspensions and free blocks: arithmetic of an account's days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revela.domain import account as accounts
from revela.domain.account import Account, Suspension
from revela.domain.errors import Suspended
from revela.domain.policy import SUSPENSIONS
from tests.examples import a_plan, an_account

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
LIMIT = 3
MONEY = ("available", "held", "spent", "running", "waiting", "trainings", "entries", "grants")


def struck(account: Account, times: int, *, now: datetime = NOON, limit: int = LIMIT) -> Account:
    for _ in range(times):
        account = accounts.strike(account, limit=limit, now=now)
    return account


def money(account: Account) -> list[object]:
    return [getattr(account, name) for name in MONEY]


# Strikes


def test_strikes_are_counted_within_a_day_in_utc() -> None:
    late = datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)
    account = struck(an_account(), 2, now=late)

    assert account.strikes_today == 2
    assert struck(account, 1, now=late + SECOND).strikes_today == 1


def test_the_limit_may_be_reached_and_not_passed() -> None:
    assert struck(an_account(), LIMIT).suspension is None

    suspension = struck(an_account(), LIMIT + 1).suspension
    assert suspension == Suspension(reason="too_many_refusals", since=NOON, until=NOON + DAY)


def test_strikes_of_two_days_do_not_add_up() -> None:
    account = struck(an_account(), LIMIT)

    assert struck(account, LIMIT, now=NOON + DAY).suspension is None


def test_a_new_day_begins_for_every_counter_alike() -> None:
    account = an_account(images_today=4, cancels_today=3, blocks_today=2, strikes_today=1)

    after = struck(account, 1, now=NOON + DAY)

    assert (after.day, after.images_today, after.cancels_today, after.blocks_today, after.strikes_today) == (
        (NOON + DAY).date(),
        0,
        0,
        0,
        1,
    )


def test_each_suspension_is_longer_up_to_a_month() -> None:
    account, now, lasted = an_account(), NOON, []
    for _ in range(5):
        account = struck(account, LIMIT + 1, now=now)
        assert account.suspension is not None
        assert account.suspension.since == now
        lasted.append(account.suspension.until - now)
        now = account.suspension.until

    assert lasted == [DAY, 7 * DAY, 30 * DAY, 30 * DAY, 30 * DAY]
    assert lasted[:3] == list(SUSPENSIONS)


def test_while_a_suspension_lasts_nothing_counts() -> None:
    account = struck(an_account(), LIMIT + 1)

    after = struck(account, 2 * LIMIT, now=NOON + timedelta(hours=1))

    assert (after.suspension, after.suspensions) == (account.suspension, 1)
    assert after.strikes_today == account.strikes_today


def test_one_strike_after_a_suspension_is_one_strike() -> None:
    account = struck(an_account(), LIMIT + 1)
    assert account.suspension is not None

    after = struck(account, 1, now=account.suspension.until)

    assert not accounts.suspended(after, account.suspension.until)
    assert after.strikes_today == 1


@given(
    times=st.lists(st.tuples(st.integers(0, 3 * 86_400), st.booleans()), max_size=60),
    limit=st.integers(1, 5),
)
def test_whatever_comes_a_suspension_is_earned_and_money_stays(
    times: list[tuple[int, bool]], limit: int
) -> None:
    account, now = an_account(), NOON
    before = money(account)
    for pause_s, lifted in times:
        now += timedelta(seconds=pause_s)
        was = account
        account = (
            accounts.lift(account, now=now) if lifted else accounts.strike(account, limit=limit, now=now)
        )
        assert money(account) == before
        assert account.suspensions >= 0
        if account.suspension is not None and account.suspension != was.suspension:
            assert account.strikes_today > limit
            assert not accounts.suspended(was, now)
            assert account.suspensions == was.suspensions + 1
            lasts = account.suspension.until - account.suspension.since
            assert lasts == SUSPENSIONS[min(was.suspensions, 2)]
        if lifted:
            assert not accounts.suspended(account, now)


# Suspended


@pytest.mark.parametrize(
    ("after", "suspended"),
    [(timedelta(0), True), (DAY - timedelta(microseconds=1), True), (DAY, False), (2 * DAY, False)],
)
def test_a_suspension_lasts_until_its_end(after: timedelta, suspended: bool) -> None:
    account = struck(an_account(), LIMIT + 1)

    assert accounts.suspended(account, NOON + after) is suspended
    if suspended:
        with pytest.raises(Suspended):
            accounts.require_standing(account, NOON + after)
    else:
        accounts.require_standing(account, NOON + after)


def test_who_was_never_suspended_stands() -> None:
    accounts.require_standing(an_account(), NOON)


def test_whoever_waits_as_long_as_told_may_ask_again() -> None:
    account = struck(an_account(), LIMIT + 1)
    asked_at = NOON + timedelta(hours=3, microseconds=7)
    with pytest.raises(Suspended) as raised:
        accounts.require_standing(account, asked_at)

    assert raised.value.code == "account_suspended"
    assert raised.value.args_ == {"until": "2026-03-03 12:00 UTC"}
    assert raised.value.retry_after_s is not None
    accounts.require_standing(account, asked_at + timedelta(seconds=raised.value.retry_after_s))


# Lifted


def test_a_lift_takes_back_the_suspension_its_strikes_and_its_place_in_the_row() -> None:
    second = struck(struck(an_account(), LIMIT + 1), LIMIT + 1, now=NOON + 2 * DAY)
    assert second.suspensions == 2

    lifted = accounts.lift(second, now=NOON + 2 * DAY)

    assert (lifted.suspension, lifted.suspensions, lifted.strikes_today) == (None, 1, 0)
    again = struck(lifted, LIMIT + 1, now=NOON + 2 * DAY)
    assert again.suspension is not None
    assert again.suspension.until - again.suspension.since == 7 * DAY


def test_where_nothing_is_to_be_lifted_nothing_changes() -> None:
    account = struck(an_account(), LIMIT)

    assert accounts.lift(account, now=NOON) is account


# Blocked images that are free


@pytest.mark.parametrize(
    ("already", "images", "charged"),
    [(0, 0, 0), (0, 3, 0), (0, 4, 1), (1, 3, 1), (2, 1, 0), (3, 1, 1), (5, 2, 2)],
)
def test_blocked_images_beyond_the_days_free_ones_are_charged(
    already: int, images: int, charged: int
) -> None:
    plan = a_plan(free_blocks_per_day=3)

    after, beyond = accounts.count_blocks(an_account(blocks_today=already), plan, images=images, now=NOON)

    assert (after.blocks_today, beyond) == (already + images, charged)
    assert money(after) == money(an_account())


def test_another_day_has_its_own_free_blocks() -> None:
    account = an_account(blocks_today=9)

    after, beyond = accounts.count_blocks(account, a_plan(), images=2, now=NOON + DAY)

    assert (after.blocks_today, beyond) == (2, 0)


def test_a_plan_may_have_no_free_blocks() -> None:
    _, beyond = accounts.count_blocks(an_account(), a_plan(free_blocks_per_day=0), images=2, now=NOON)

    assert beyond == 2


@given(images=st.lists(st.integers(0, 4), max_size=20), free=st.integers(0, 10))
def test_in_a_day_exactly_the_free_ones_are_free(images: list[int], free: int) -> None:
    account, charged = an_account(), 0
    for blocked in images:
        account, beyond = accounts.count_blocks(
            account, a_plan(free_blocks_per_day=free), images=blocked, now=NOON
        )
        assert 0 <= beyond <= blocked
        charged += beyond

    assert charged == max(0, sum(images) - free)
