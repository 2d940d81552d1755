from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from revela.domain.change import Change, PredictionClaim
from revela.domain.errors import Conflict, Transient
from revela.domain.generation import Generation
from revela.domain.job import Event, ImpossibleTransition, State
from revela.ports import Ref
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.contention import CONTENTION_BASE, CONTENTION_MAX
from revela.usecases.moving import Move, hand_over, move
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import dies_after, meanwhile


def to_canceled(row: Generation) -> Move:
    return Move(Event.CANCEL_REQUESTED, State.CANCELED)


@dataclass
class Remembering:
    """Decides to cancel what is queued, and remembers what it was asked about."""

    seen: list[Generation]

    def __call__(self, row: Generation) -> Move | None:
        self.seen.append(row)
        return to_canceled(row) if row.state is State.QUEUED else None


# One move


def test_the_row_as_it_is_now_is_returned_and_stored(system: System, ports: FakePorts) -> None:
    row = system.accept()

    moved = move(ref(row), to_canceled, ports=ports)

    assert moved.moved
    assert moved.row == system.row(row)
    assert system.row(row).version == row.version + 1


def test_a_row_that_does_not_exist_is_not_moved(ports: FakePorts) -> None:
    assert move(Ref(ANA, "gen_1"), to_canceled, ports=ports) == (None, False)


def test_what_is_to_be_left_is_left(system: System, ports: FakePorts) -> None:
    row = system.accept()

    assert move(ref(row), lambda _: None, ports=ports) == (row, False)
    assert system.row(row) == row


def test_who_meets_another_writer_reads_and_decides_again(system: System, ports: FakePorts) -> None:
    row = system.accept()
    decide = Remembering([])

    with meanwhile(ports, "FakeChanges.commit", lambda: system.start(row)):
        moved = move(ref(row), decide, ports=ports)

    assert [r.state for r in decide.seen] == [State.QUEUED, State.PROCESSING]
    assert moved == (system.row(row), False)


def test_a_row_that_was_read_before_is_not_trusted_longer_than_its_write(
    system: System, ports: FakePorts
) -> None:
    stale = system.accept()
    system.start(stale)

    assert not move(ref(stale), Remembering([]), ports=ports, seen=stale).moved
    assert system.row(stale).state is State.PROCESSING


def test_the_account_alone_changing_does_not_stop_a_move(system: System, ports: FakePorts) -> None:
    row = system.accept()

    with meanwhile(ports, "FakeChanges.commit", system.accept):
        assert move(ref(row), to_canceled, ports=ports).moved


def test_a_prediction_of_another_job_is_the_callers_business(system: System, ports: FakePorts) -> None:
    row = system.processing()
    theirs = system.starting(BIA, created=False)
    claim = PredictionClaim(system.prediction(row).id, f"{theirs.id}:1", ports.clock.now())

    def decide(_: Generation) -> Move:
        return Move(
            Event.RECORDED, State.PROCESSING, changes={"prediction_id": claim.prediction_id}, prediction=claim
        )

    with pytest.raises(Conflict) as conflict:
        move(ref(theirs), decide, ports=ports)

    assert conflict.value.failed == {"prediction"}


def test_with_row_and_prediction_both_changed_the_row_is_read_again(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    stray = system.prediction(row)
    owner = PredictionClaim(stray.id, "orphan_1", ports.clock.now())
    states: list[State] = []

    def decide(seen: Generation) -> Move | None:
        states.append(seen.state)
        if seen.cancel_requested_at is not None:
            return None
        claim = PredictionClaim(stray.id, f"{row.id}:1", ports.clock.now())
        return Move(Event.RECORDED, State.PROCESSING, prediction=claim)

    def both() -> None:
        ports.changes.commit(Change(now=ports.clock.now(), prediction=owner))
        cancel_generation(ref(row), ports=ports)

    with meanwhile(ports, "FakeChanges.commit", both):
        assert not move(ref(row), decide, ports=ports).moved

    assert states == [State.STARTING, State.STARTING]


def test_writers_that_keep_losing_wait_ever_longer_and_give_up_after_a_while(
    system: System, ports: FakePorts
) -> None:
    row = system.accept()

    def conflict(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Conflict({"account"})

    begun = ports.clock.now()
    ports.calls.before = conflict
    with pytest.raises(Transient):
        move(ref(row), to_canceled, ports=ports)

    waited = ports.clock.now() - begun
    # The API answers before API Gateway (30 s) has given up on it.
    assert timedelta(seconds=20) <= waited <= timedelta(seconds=28)
    assert 10 < ports.calls.names.count("FakeChanges.commit") < 100


def test_writers_that_lose_together_do_not_come_back_together(system: System, ports: FakePorts) -> None:
    row = system.accept()
    tried_at: list[datetime] = []

    def conflict(name: str) -> None:
        if name == "FakeChanges.commit":
            tried_at.append(ports.clock.now())
            raise Conflict({"account"})

    ports.calls.before = conflict
    with pytest.raises(Transient):
        move(ref(row), to_canceled, ports=ports)

    waits = [later - earlier for earlier, later in pairwise(tried_at)]
    parts = [wait / min(CONTENTION_BASE * 2**n, CONTENTION_MAX) for n, wait in enumerate(waits)]
    assert max(parts) - min(parts) > 0.5


def test_a_move_the_table_does_not_list_is_a_bug_and_writes_nothing(system: System, ports: FakePorts) -> None:
    row = system.accept()

    with pytest.raises(ImpossibleTransition):
        move(ref(row), lambda _: Move(Event.OUTPUTS_SAVED, State.SUCCEEDED), ports=ports)

    assert system.row(row) == row


def test_what_moves_is_told_without_prompt_or_url(system: System, ports: FakePorts) -> None:
    system.succeeded(prompt="a very private wish")

    said = str(ports.telemetry.lines)
    assert "generation_moved" in said
    assert "private" not in said
    assert "https://" not in said


# Handing places over


def test_one_hand_over_fills_every_free_place_in_order(system: System, ports: FakePorts) -> None:
    rows = [system.accept() for _ in range(5)]
    account = system.account()
    ports.store.accounts[ANA] = account.model_copy(update={"plan": "pro"})

    hand_over(ANA, ports=ports)

    assert [system.row(r).state for r in rows] == [State.QUEUED] * 4 + [State.WAITING]
    assert ports.commands.started == [ref(r) for r in rows[:4]]
    assert not ports.clock.slept_until  # only who meets another writer waits


def test_without_a_free_place_nobody_moves(system: System, ports: FakePorts) -> None:
    system.accept()
    waiting = system.accept()

    hand_over(ANA, ports=ports)

    assert system.row(waiting) == waiting


def test_for_a_user_without_jobs_nothing_happens(ports: FakePorts) -> None:
    hand_over(ANA, ports=ports)

    assert not ports.store.accounts


def test_two_hand_overs_at_once_give_a_place_away_once(system: System, ports: FakePorts) -> None:
    running, *line = [system.accept() for _ in range(3)]
    with dies_after(ports, "FakeChanges.commit"):
        cancel_generation(ref(running), ports=ports)

    with meanwhile(ports, "FakeChanges.commit", lambda: hand_over(ANA, ports=ports)):
        hand_over(ANA, ports=ports)

    assert [system.row(r).state for r in line] == [State.QUEUED, State.WAITING]


def test_a_head_that_leaves_the_line_meanwhile_is_passed_over(system: System, ports: FakePorts) -> None:
    running, head, next_ = [system.accept() for _ in range(3)]
    with dies_after(ports, "FakeChanges.commit"):
        cancel_generation(ref(running), ports=ports)

    def head_leaves() -> None:
        with dies_after(ports, "FakeChanges.commit"):
            cancel_generation(ref(head), ports=ports)

    with meanwhile(ports, "FakeChanges.commit", head_leaves):
        hand_over(ANA, ports=ports)

    assert [system.row(r).state for r in (head, next_)] == [State.CANCELED, State.QUEUED]


def test_a_place_that_was_handed_over_is_due_though_its_message_is_lost(
    system: System, ports: FakePorts
) -> None:
    running, waiting = system.accept(), system.accept()
    ports.commands.failure = Transient("the queue is away")

    cancel_generation(ref(running), ports=ports)

    row = system.row(waiting)
    assert row.state is State.QUEUED
    assert row.due_at == ports.clock.now() + timedelta(seconds=60)


def test_a_worker_that_dies_before_the_hand_over_leaves_it_to_reconcile(
    system: System, ports: FakePorts
) -> None:
    running, waiting = system.processing(), system.accept()
    done = ports.provider.succeed(system.prediction(running).id)
    with dies_after(ports, "FakeChanges.commit", nth=2):
        system.hear(running, done)
    assert system.row(waiting).state is State.WAITING

    system.reconcile(after=timedelta(minutes=2))

    assert system.row(waiting).state is State.QUEUED
