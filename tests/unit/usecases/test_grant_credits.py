from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from revela.domain.account import Account, GrantSource
from revela.domain.errors import Conflict, InvalidRequest, NoCredits, Transient
from revela.domain.job import State
from revela.domain.ledger import EntryKind
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.grant_credits import GrantCredits, grant_credits
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, System, ref
from tests.unit.usecases.trouble import dies_after, meanwhile


def give(
    ports: FakePorts,
    reference: str,
    amount: int,
    *,
    source: GrantSource = "operator",
    expires_at: datetime | None = None,
    plan: str | None = None,
) -> Account:
    command = GrantCredits(ANA, reference, amount, plan=plan, source=source, expires_at=expires_at)
    return grant_credits(command, ports=ports)


def remaining(account: Account) -> dict[str, int]:
    """Return what is left of each grant, by where it came from."""
    return {g.source: g.remaining for g in account.grants}


def test_credits_are_added_and_written_in_the_ledger(ports: FakePorts) -> None:
    account = give(ports, "order-1", 100)

    entries = ports.store.ledger_of(account.account_id)
    assert account.available == 120
    assert [(e.kind, e.credits, e.cause) for e in entries][1:] == [(EntryKind.GRANT, 100, "order-1")]


def test_the_same_reference_gives_once(ports: FakePorts) -> None:
    give(ports, "order-1", 100)
    ports.clock.advance(timedelta(days=20))

    again = give(ports, "order-1", 100)

    assert again.available == 120
    assert again == ports.accounts.get(ANA)


def test_the_same_reference_given_twice_at_once_gives_once(ports: FakePorts) -> None:
    with meanwhile(ports, "FakeChanges.commit", lambda: give(ports, "order-1", 100), nth=2):
        slower = give(ports, "order-1", 100)

    assert ports.accounts.get(ANA) == slower
    assert slower.available == 120


def test_a_grant_that_meets_another_writer_is_made_on_what_is_there_now(
    system: System, ports: FakePorts
) -> None:
    system.subscribe()

    with meanwhile(ports, "FakeChanges.commit", system.accept):
        after = give(ports, "order-1", 100)

    assert (after.available, after.held) == (20 + 300 - 1 + 100, 1)


def test_the_plan_can_change_without_credits(ports: FakePorts) -> None:
    account = give(ports, "upgrade-1", 0, plan="pro")

    assert (account.plan, account.available) == ("pro", 20)
    assert len(ports.store.ledger_of(account.account_id)) == 1


def test_credits_alone_keep_the_plan(ports: FakePorts) -> None:
    give(ports, "upgrade-1", 0, plan="pro")

    assert give(ports, "order-1", 5).plan == "pro"


@pytest.mark.parametrize("amount", [-1, 10**9 + 1])
def test_an_absurd_amount_is_refused(ports: FakePorts, amount: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        give(ports, "order-1", amount)

    assert [p.name for p in refused.value.invalid_params] == ["credits"]
    assert not ports.store.accounts


def test_a_plan_that_does_not_exist_is_refused(ports: FakePorts) -> None:
    with pytest.raises(InvalidRequest):
        give(ports, "upgrade-1", 0, plan="platinum")

    assert not ports.store.accounts


def test_a_larger_plan_hands_places_over_at_once(system: System, ports: FakePorts) -> None:
    rows = [system.accept() for _ in range(4)]

    give(ports, "upgrade-1", 0, plan="essential")

    assert [system.row(r).state for r in rows] == [
        State.QUEUED,
        State.QUEUED,
        State.WAITING,
        State.WAITING,
    ]
    assert ports.commands.started == [ref(rows[0]), ref(rows[1])]


def test_a_process_that_dies_before_it_hands_over_leaves_that_to_reconcile(
    system: System, ports: FakePorts
) -> None:
    system.accept()
    second = system.accept()
    with dies_after(ports, "FakeChanges.commit"):
        give(ports, "upgrade-1", 0, plan="essential")

    system.reconcile(after=timedelta(minutes=2))

    assert system.row(second).state is State.QUEUED


def test_an_account_that_others_keep_writing_is_left_for_later(ports: FakePorts) -> None:
    def conflict(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Conflict({"account"})

    give(ports, "order-1", 1)
    ports.calls.before = conflict
    with pytest.raises(Transient):
        give(ports, "order-2", 1)


# In which order grants burn, and what becomes of them


def test_promotions_burn_first_then_the_plan_then_operators_then_packs(
    system: System, ports: FakePorts
) -> None:
    give(ports, "a", 1, source="pack", plan="studio")
    give(ports, "b", 1, source="operator")
    give(ports, "c", 1, source="promotion")

    order = []
    for _ in range(1 + 20 + 1 + 1):
        kept = remaining(system.account())
        system.accept(num_outputs=1)
        order += [source for source, left in remaining(system.account()).items() if left < kept[source]]

    assert order == ["promotion", *["plan"] * 20, "operator", "pack"]


def test_of_one_kind_what_lapses_soonest_burns_first(system: System, ports: FakePorts) -> None:
    now = ports.clock.now()
    give(ports, "never", 1, source="promotion")
    give(ports, "late", 1, source="promotion", expires_at=now + timedelta(days=9))
    give(ports, "soon", 1, source="promotion", expires_at=now + timedelta(days=2), plan="studio")

    burnt = [system.accept(num_outputs=1).held_from[0].grant_id for _ in range(3)]

    grants = {g.id: g.expires_at for g in system.account().grants}
    assert [grants[id_] for id_ in burnt] == [now + timedelta(days=2), now + timedelta(days=9), None]


def test_one_hold_can_take_from_several_grants(system: System, ports: FakePorts) -> None:
    give(ports, "promo", 1, source="promotion", plan="studio")

    row = system.accept(num_outputs=3)

    assert [p.credits for p in row.held_from] == [1, 2]
    assert remaining(system.account()) == {"plan": 18, "promotion": 0}


def test_lapsed_credits_cannot_be_spent_and_are_written_off(system: System, ports: FakePorts) -> None:
    give(ports, "promo", 5, source="promotion", expires_at=ports.clock.now() + timedelta(days=1))
    ports.clock.advance(timedelta(days=1))

    system.accept(num_outputs=1)

    account = system.account()
    expired = [e for e in ports.store.ledger_of(account.account_id) if e.kind is EntryKind.EXPIRE]
    assert [e.credits for e in expired] == [-5]
    assert (account.available, account.held) == (19, 1)


def test_a_cost_that_only_lapsed_credits_could_pay_is_refused(system: System, ports: FakePorts) -> None:
    give(ports, "short", 5, source="pack", plan="studio", expires_at=ports.clock.now() + timedelta(days=1))
    for _ in range(5):
        system.accept(num_outputs=4)  # the plan's twenty: what is left is the pack's five
    assert system.account().available == 5
    ports.clock.advance(timedelta(days=1))

    with pytest.raises(NoCredits):
        system.accept(num_outputs=1)


def test_a_release_goes_back_to_the_grant_it_came_from(system: System, ports: FakePorts) -> None:
    give(ports, "promo", 1, source="promotion", plan="studio")
    row = system.accept(num_outputs=3)

    cancel_generation(ref(row), ports=ports)

    assert remaining(system.account()) == {"plan": 20, "promotion": 1}


def test_a_release_to_a_lapsed_grant_can_be_used_for_seven_more_days(
    system: System, ports: FakePorts
) -> None:
    give(ports, "promo", 2, source="promotion", expires_at=ports.clock.now() + timedelta(hours=1))
    row = system.accept(num_outputs=2)
    ports.clock.advance(timedelta(hours=2))

    cancel_generation(ref(row), ports=ports)

    ports.clock.advance(timedelta(days=7, seconds=-1))
    again = system.accept(num_outputs=1)
    assert remaining(system.account()) == {"plan": 20, "promotion": 1}
    ports.clock.advance(timedelta(seconds=1))
    system.accept(num_outputs=1)
    assert remaining(system.account()) == {"plan": 19, "promotion": 0}
    assert again.held_from[0].grant_id != "plan:free"


def test_a_release_in_time_gives_no_grace(system: System, ports: FakePorts) -> None:
    expires_at = ports.clock.now() + timedelta(hours=3)
    give(ports, "promo", 2, source="promotion", expires_at=expires_at)
    row = system.accept(num_outputs=2)
    ports.clock.advance(timedelta(hours=2))

    cancel_generation(ref(row), ports=ports)

    assert expires_at in [g.expires_at for g in system.account().grants]


def test_a_reference_that_looks_like_the_plans_own_grant_is_kept_apart(ports: FakePorts) -> None:
    account = give(ports, "plan:free", 5)

    assert remaining(account) == {"plan": 20, "operator": 5}
