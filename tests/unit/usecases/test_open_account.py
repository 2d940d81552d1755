from __future__ import annotations

from datetime import timedelta

from revela.domain.ledger import EntryKind
from revela.usecases.open_account import open_account
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA
from tests.unit.usecases.trouble import dies_after, meanwhile


def test_a_user_starts_on_the_free_plan_with_its_credits(ports: FakePorts) -> None:
    account = open_account(ANA, ports=ports)

    assert (account.plan, account.available, account.held, account.spent) == ("free", 20, 0, 0)
    assert ports.accounts.get(ANA) == account


def test_the_opening_grant_is_in_the_ledger(ports: FakePorts) -> None:
    account = open_account(ANA, ports=ports)

    (entry,) = ports.store.ledger_of(account.account_id)
    assert (entry.kind, entry.credits, entry.balance, entry.cause) == (EntryKind.GRANT, 20, 20, "opened")


def test_free_credits_never_lapse(ports: FakePorts) -> None:
    account = open_account(ANA, ports=ports)

    assert [g.expires_at for g in account.grants] == [None]


def test_the_ledger_knows_an_opaque_id_and_not_the_user(ports: FakePorts) -> None:
    account = open_account(ANA, ports=ports)

    assert account.account_id.startswith("acc_")
    assert ANA not in account.account_id


def test_opening_again_changes_nothing(ports: FakePorts) -> None:
    first = open_account(ANA, ports=ports)
    ports.clock.advance(timedelta(days=40))

    assert open_account(ANA, ports=ports) == first
    assert ports.calls.names.count("FakeChanges.commit") == 1


def test_two_first_calls_at_once_open_one_account(ports: FakePorts) -> None:
    with meanwhile(ports, "FakeChanges.commit", lambda: open_account(ANA, ports=ports)):
        slower = open_account(ANA, ports=ports)

    assert slower == ports.accounts.get(ANA)
    assert len(ports.store.entries) == 1


def test_a_process_that_died_after_the_write_has_opened_it(ports: FakePorts) -> None:
    with dies_after(ports, "FakeChanges.commit"):
        open_account(ANA, ports=ports)

    assert open_account(ANA, ports=ports).available == 20


def test_accounts_are_apart(ports: FakePorts) -> None:
    assert open_account(ANA, ports=ports).account_id != open_account(BIA, ports=ports).account_id
