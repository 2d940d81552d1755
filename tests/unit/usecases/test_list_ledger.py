from __future__ import annotations

import pytest

from revela.domain.errors import InvalidRequest
from revela.usecases.grant_credits import GrantCredits, grant_credits
from revela.usecases.list_ledger import ListLedger, list_ledger
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA


def test_entries_come_newest_first_by_pages(ports: FakePorts) -> None:
    for reference in ("one", "two"):
        grant_credits(GrantCredits(ANA, reference, credits=5), ports=ports)

    first = list_ledger(ListLedger(ANA, limit=2), ports=ports)
    last = list_ledger(ListLedger(ANA, limit=2, cursor=first.cursor), ports=ports)

    assert [entry.cause for entry in (*first.items, *last.items)] == ["two", "one", "opened"]
    assert last.cursor is None


def test_a_new_users_ledger_begins_with_the_opening_grant(ports: FakePorts) -> None:
    assert [e.credits for e in list_ledger(ListLedger(ANA, limit=20), ports=ports).items] == [20]


def test_nobody_sees_anothers_entries(ports: FakePorts) -> None:
    grant_credits(GrantCredits(ANA, "gift", credits=5), ports=ports)

    assert [e.cause for e in list_ledger(ListLedger(BIA, limit=20), ports=ports).items] == ["opened"]


def test_a_bad_cursor_is_refused(ports: FakePorts) -> None:
    with pytest.raises(InvalidRequest):
        list_ledger(ListLedger(ANA, limit=20, cursor="nonsense"), ports=ports)
