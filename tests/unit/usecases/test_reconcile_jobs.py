from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from revela.domain.errors import (
    Conflict,
    ProviderNotFound,
    ProviderThrottled,
    ProviderTransient,
    Transient,
)
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.ports import Ref
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from revela.usecases.reconcile_jobs import reconcile_jobs
from tests.fakes import FakePorts
from tests.unit.usecases.system import ALL_DUE, ANA, BIA, System, ref
from tests.unit.usecases.trouble import dies_after, meanwhile

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("several_places")


def due_later(row: Generation, ports: FakePorts) -> Generation:
    return row.model_copy(update={"due_at": ports.clock.now() + timedelta(hours=1)})


# What is visited


def test_nothing_due_costs_no_request_of_the_provider(system: System, ports: FakePorts) -> None:
    system.processing()
    ports.webhook_secrets.stored = [ports.provider.secret]
    ports.clock.time = ports.clock.now().replace(minute=1)  # on the hour the webhook secret is read
    ports.store.generations = {at: due_later(row, ports) for at, row in ports.store.generations.items()}
    ports.calls.names.clear()

    assert system.reconcile() == 0

    assert not [name for name in ports.calls.names if name.startswith("FakeProvider")]


def test_a_start_message_that_was_lost_is_sent_again(system: System, ports: FakePorts) -> None:
    row = system.accept()
    ports.commands.take_started()

    assert system.reconcile(after=MINUTE) == 1

    assert ports.commands.started == [ref(row)]


def test_what_does_not_progress_is_looked_at_less_and_less_often(system: System, ports: FakePorts) -> None:
    row = system.accept()
    gaps = []
    for _ in range(7):
        system.until_due(row)
        due_at = system.row(row).due_at
        assert due_at is not None
        gaps.append((due_at - ports.clock.now()) / MINUTE)

    assert gaps == [1, 2, 4, 8, 10, 10, 10]


def test_what_has_progressed_is_looked_at_often_again(system: System, ports: FakePorts) -> None:
    row = system.accept()
    for _ in range(5):
        system.until_due(row)
    system.started(row)

    system.until_due(row)

    assert system.row(row).due_at == ports.clock.now() + timedelta(seconds=30)


def test_of_two_runs_at_once_one_acts(system: System, ports: FakePorts) -> None:
    system.accept()
    ports.commands.take_started()
    ports.clock.advance(MINUTE)

    with meanwhile(ports, "FakeChanges.commit", system.reconcile):
        assert system.reconcile() == 0

    assert len(ports.commands.started) == 1


def test_a_row_that_cannot_be_written_does_not_keep_the_others(system: System, ports: FakePorts) -> None:
    system.accept()
    system.accept()
    ports.commands.take_started()

    def refuse() -> None:
        raise Transient("the table is away")

    ports.clock.advance(MINUTE)
    with meanwhile(ports, "FakeChanges.commit", refuse):
        assert system.reconcile() == 1

    assert len(ports.commands.started) == 1


def test_an_index_that_lags_behind_is_not_believed(system: System, ports: FakePorts) -> None:
    row = system.accept()
    ports.clock.advance(MINUTE)
    other = system.processing(BIA)

    def is_started_meanwhile() -> None:
        system.start(row)

    with meanwhile(ports, "FakeGenerations.get_many", is_started_meanwhile):
        system.reconcile()

    assert system.row(row).state is State.PROCESSING
    assert system.row(row).visits == 0
    assert system.row(other).visits == 0


def test_no_work_is_begun_near_the_processs_end(system: System, ports: FakePorts) -> None:
    system.accept()
    ports.clock.advance(MINUTE)

    assert reconcile_jobs(ports=ports, until=ports.clock.now() + timedelta(seconds=9)) == 0


# Places


def test_a_visit_to_any_who_waits_hands_over_to_who_waits_longest(system: System, ports: FakePorts) -> None:
    running = system.accept(BIA)
    head = system.accept(BIA)
    ports.clock.advance(timedelta(seconds=30))
    tail = system.accept(BIA)
    with dies_after(ports, "FakeChanges.commit"):
        cancel_generation(ref(running), ports=ports)
    ports.store.generations[ref(head)] = due_later(system.row(head), ports)

    system.until_due(tail)

    assert [system.row(r).state for r in (head, tail)] == [State.QUEUED, State.WAITING]


def test_who_waits_is_looked_at_every_two_minutes_however_long_it_takes(system: System) -> None:
    system.accept(BIA)
    waiting = system.accept(BIA)

    for _ in range(12):
        assert waiting.due_at is not None
        assert waiting.due_at - system.ports.clock.now() <= 2 * MINUTE
        system.until_due(waiting)
        waiting = system.row(waiting)

    assert waiting.state is State.WAITING


def test_a_job_that_was_visited_while_it_waited_is_handed_over_like_any(
    system: System, ports: FakePorts
) -> None:
    running, waiting = system.processing(BIA), system.accept(BIA)
    system.until_due(waiting)

    system.hear(running, ports.provider.succeed(system.prediction(running).id))

    assert system.row(waiting).state is State.QUEUED


def test_trouble_of_one_users_line_does_not_keep_the_rest(system: System, ports: FakePorts) -> None:
    system.accept(BIA)
    system.accept(BIA)
    lost = system.processing()
    ports.clock.advance(2 * MINUTE)
    ports.provider.succeed(system.prediction(lost).id)

    def refuse() -> None:
        raise Transient("the table is away")

    with meanwhile(ports, "FakeGenerations.first_waiting", refuse):
        system.reconcile()
    system.deliver_finishes()

    assert system.row(lost).state is State.SUCCEEDED


def test_what_was_queued_for_a_day_fails_and_is_refunded(system: System, ports: FakePorts) -> None:
    queued = system.accept(BIA, num_outputs=2)
    waiting = system.accept(BIA, num_outputs=2)
    ports.clock.advance(timedelta(days=1))
    system.reconcile()
    assert [system.row(r).state for r in (queued, waiting)] == [State.QUEUED, State.WAITING]

    system.reconcile(after=ALL_DUE)
    system.reconcile(after=ALL_DUE)  # the first to end has handed its place to the second

    for row in (system.row(queued), system.row(waiting)):
        assert row.state is State.FAILED
        assert row.failure is not None
        assert row.failure.code == "queue_timeout"
        assert row.credits_refunded == 2
    assert (system.account(BIA).running, system.account(BIA).waiting) == (0, 0)


def test_who_waited_for_a_day_fails_although_no_place_came_free(system: System, ports: FakePorts) -> None:
    running, waiting = system.processing(BIA), system.accept(BIA, num_outputs=2)
    ports.clock.advance(timedelta(days=1))
    ports.store.generations[ref(running)] = due_later(system.row(running), ports)

    system.reconcile(after=MINUTE)

    row = system.row(waiting)
    assert row.failure is not None
    assert (row.failure.code, row.credits_refunded) == ("queue_timeout", 2)
    assert (system.account(BIA).running, system.account(BIA).waiting) == (1, 0)


def test_while_the_provider_is_blocked_nothing_is_sent_again(system: System, ports: FakePorts) -> None:
    refused, other = system.accept(), system.accept()
    ports.provider.refuse(ProviderThrottled("slow down", 300))
    system.start(refused)
    ports.commands.take_started()

    system.reconcile(after=MINUTE)
    assert not ports.commands.started
    assert system.row(other).due_at == ports.pace.blocked_until()

    system.reconcile(after=4 * MINUTE)
    assert set(ports.commands.started) == {ref(refused), ref(other)}


def test_a_block_puts_nothing_off_for_longer_than_itself(system: System, ports: FakePorts) -> None:
    refused, other = system.accept(), system.accept()
    ports.provider.refuse(ProviderThrottled("slow down", 70))
    system.start(refused)
    ports.commands.take_started()

    system.reconcile(after=MINUTE)
    assert system.row(other).due_at == ports.pace.blocked_until()
    assert system.row(other).visits == 0

    system.reconcile(after=MINUTE / 6)
    assert set(ports.commands.started) == {ref(refused), ref(other)}


# One thing's trouble is not another's


def test_a_delete_that_fails_keeps_no_other_from_being_resumed(system: System, ports: FakePorts) -> None:
    rows = [system.succeeded(), system.succeeded()]
    for row in rows:
        with dies_after(ports, "FakeChanges.commit"):
            delete_generation(ref(row), ports=ports)

    def refuse() -> None:
        raise Transient("the bucket is away")

    ports.clock.advance(2 * MINUTE)
    with meanwhile(ports, "FakeObjects.delete_prefix", refuse):
        assert system.reconcile() == 2

    assert len(ports.store.generations) == 1


def test_contention_in_polling_keeps_no_other_row(system: System, ports: FakePorts) -> None:
    lost = system.starting(created=False)
    running = system.processing(BIA)
    ports.provider.succeed(system.prediction(running).id)
    ports.clock.advance(timedelta(minutes=2))
    writes = 0

    def contended(name: str) -> None:
        nonlocal writes
        if name == "FakeChanges.commit":
            writes += 1
            if writes > 2:  # both visits are written; what follows of the lost create is not
                raise Conflict({"job"})

    ports.calls.before = contended
    reconcile_jobs(ports=ports, until=ports.clock.now() + timedelta(minutes=5))
    ports.calls.before = lambda _: None

    assert system.row(lost).state is State.STARTING
    assert [told.ref for told in ports.commands.finished] == [ref(running)]


def test_the_number_of_visits_is_told(system: System, ports: FakePorts) -> None:
    system.accept()
    system.accept()

    assert system.reconcile(after=MINUTE) == 2
    assert ports.telemetry.values["Reconciled"] == [2]


@pytest.mark.parametrize("error", [ProviderTransient("502"), ProviderNotFound("no secrets here")])
def test_a_webhook_secret_that_cannot_be_had_ends_no_run(
    error: Exception, system: System, ports: FakePorts
) -> None:
    system.accept()
    ports.provider.failures.append(error)

    assert system.reconcile(after=MINUTE) == 1

    assert not ports.webhook_secrets.stored
    assert ports.telemetry.values["Reconciled"] == [1]


def test_a_line_whose_head_cannot_be_read_keeps_nobody_else(
    system: System, ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user_id in (ANA, BIA):
        system.subscribe(user_id, plan="essential")
    other = system.processing(BIA)
    mine = [system.accept(ANA) for _ in range(4)]
    head = next(row for row in mine if row.state is State.WAITING)
    real_get, real_get_many = ports.generations.get, ports.generations.get_many

    def get(at: Ref) -> Generation | None:
        if at.id == head.id:
            raise ValueError("of another version")
        return real_get(at)

    def get_many(refs: Sequence[Ref]) -> list[Generation]:
        if any(at.id == head.id for at in refs):
            raise ValueError("of another version")
        return real_get_many(refs)

    monkeypatch.setattr(ports.generations, "get", get)
    monkeypatch.setattr(ports.generations, "get_many", get_many)
    cancel_generation(ref(mine[0]), ports=ports)
    ports.provider.succeed(system.prediction(other).id)
    for _ in range(5):
        system.reconcile(after=timedelta(minutes=1))
    system.deliver_finishes()

    assert system.row(other).state is State.SUCCEEDED
    assert system.row(mine[0]).state is State.CANCELED
    assert [line.event for line in ports.telemetry.lines].count("head_unreadable") >= 1
