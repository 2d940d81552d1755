from __future__ import annotations

from datetime import UTC, datetime, timedelta

from revela.domain import account as accounts
from revela.domain.ledger import EntryKind
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.show_account import show_account
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, System


def test_the_first_look_opens_the_account_once(ports: FakePorts) -> None:
    first, second = (show_account(ANA, ports=ports).account for _ in range(2))

    assert first.account_id == second.account_id
    assert (first.plan, first.available) == ("free", 20)
    assert [entry.kind for entry in ports.store.ledger_of(first.account_id)] == [EntryKind.GRANT]


def test_the_days_images_are_counted_until_midnight_utc(system: System, ports: FakePorts) -> None:
    system.accept(ANA, num_outputs=2)

    shown = show_account(ANA, ports=ports)
    assert (shown.images_today, shown.plan.images_per_day) == (2, 10)
    assert shown.day_ends_at == datetime(2026, 3, 3, tzinfo=UTC)

    ports.clock.advance(shown.day_ends_at - ports.clock.now())
    assert show_account(ANA, ports=ports).images_today == 0


def test_blocks_and_strikes_are_counted_until_midnight_utc(ports: FakePorts) -> None:
    account = show_account(ANA, ports=ports).account
    ports.store.accounts[ANA] = account.model_copy(update={"blocks_today": 2, "strikes_today": 1})

    shown = show_account(ANA, ports=ports)
    assert (shown.blocks_today, shown.plan.free_blocks_per_day) == (2, 3)
    assert (shown.strikes_today, shown.strikes_per_day) == (1, ports.policies.strikes_per_day)

    ports.clock.advance(shown.day_ends_at - ports.clock.now())
    tomorrow = show_account(ANA, ports=ports)
    assert (tomorrow.blocks_today, tomorrow.strikes_today) == (0, 0)


def test_a_suspension_is_shown_until_it_is_over(ports: FakePorts) -> None:
    account = show_account(ANA, ports=ports).account
    suspended = accounts.strike(account, limit=0, now=ports.clock.now())
    ports.store.accounts[ANA] = suspended
    assert suspended.suspension is not None

    lasts = suspended.suspension.until - ports.clock.now()
    ports.clock.advance(lasts - timedelta(seconds=1))
    assert show_account(ANA, ports=ports).suspension == suspended.suspension

    ports.clock.advance(timedelta(seconds=1))
    assert show_account(ANA, ports=ports).suspension is None


def test_lapsed_credits_are_left_out_without_writing_anything(ports: FakePorts) -> None:
    ends = ports.clock.now() + timedelta(hours=1)
    before = grant_credits(GrantCredits(ANA, "promo", credits=5, expires_at=ends), ports=ports)

    ports.clock.advance(timedelta(hours=1))

    assert show_account(ANA, ports=ports).account.available == 20
    stored = ports.store.accounts[ANA]
    assert (stored.available, stored.entries) == (before.available, before.entries)
