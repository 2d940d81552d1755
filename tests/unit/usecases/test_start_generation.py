from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import (
    Conflict,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnavailable,
    Transient,
)
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.policy import START_LEASE
from revela.ports import Ref
from revela.usecases.start_generation import start_generation
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, START_TIMEOUT, System, ref
from tests.unit.usecases.trouble import meanwhile

pytestmark = pytest.mark.usefixtures("several_places")


# The way it goes


def test_a_queued_job_becomes_a_prediction(system: System, ports: FakePorts) -> None:
    row = system.accept(model="flux-dev", num_outputs=2, seed=7, prompt="a lighthouse")

    assert system.start(row) == []

    row = system.row(row)
    (request,) = ports.provider.requests.values()
    assert row.state is State.PROCESSING
    assert row.attempt == 1
    assert row.prediction_id == system.prediction(row).id
    assert request.version == "black-forest-labs/flux-dev"
    assert request.input["seed"] == 7
    assert request.input["num_outputs"] == 2
    assert request.input["go_fast"] is False


def test_the_provider_is_told_the_deadline_and_whom_to_call(system: System, ports: FakePorts) -> None:
    row = system.started(system.accept(model="sdxl"))

    (request,) = ports.provider.requests.values()
    assert request.cancel_after_s == 300
    assert row.deadline_at == ports.clock.now() + timedelta(seconds=300)
    assert request.webhook_url == ports.webhook_urls.for_job(ref(row), 1)


def test_where_there_are_no_webhooks_none_is_asked_for(system: System, ports: FakePorts) -> None:
    ports.webhook_urls.base = None
    system.started(system.accept())

    (request,) = ports.provider.requests.values()
    assert request.webhook_url is None


def test_a_started_job_is_due_for_a_look_in_case_nothing_is_heard(system: System, ports: FakePorts) -> None:
    row = system.processing()

    assert row.due_at == ports.clock.now() + timedelta(seconds=30)


def test_the_claim_is_written_before_the_create_and_holds_a_lease(system: System, ports: FakePorts) -> None:
    row = system.accept()
    claimed: list[Generation] = []

    with meanwhile(ports, "FakeProvider.create_prediction", lambda: claimed.append(system.row(row))):
        system.start(row)

    (at_create,) = claimed
    assert at_create.state is State.STARTING
    assert at_create.attempt == 1
    assert at_create.lease_until == at_create.due_at == ports.clock.now() + START_LEASE
    assert START_LEASE > START_TIMEOUT + timedelta(seconds=30)  # the function's end and its longest call


def test_the_prediction_belongs_to_the_attempt_from_the_record_on(system: System, ports: FakePorts) -> None:
    row = system.processing()

    assert ports.store.predictions[system.prediction(row).id].owner == f"{row.id}:1"


# Which messages count


def test_a_message_delivered_twice_in_one_batch_takes_one_slot_and_creates_once(
    system: System, ports: FakePorts
) -> None:
    row, other = system.accept(), system.accept()
    begun = ports.clock.now()

    system.start(row, row, other)

    assert len(ports.provider.requests) == 2
    (next_slot,) = ports.pace.reserve_creates(1, now=begun, before=begun + START_TIMEOUT).slots
    assert next_slot == begun + timedelta(seconds=60 / 600 * 1.01) * 2


def test_a_message_delivered_again_creates_nothing(system: System, ports: FakePorts) -> None:
    row = system.processing()

    assert system.start(row) == []

    assert len(ports.provider.requests) == 1
    assert system.row(row) == row


def test_messages_of_what_waits_has_ended_or_is_unknown_are_acknowledged(
    system: System, ports: FakePorts
) -> None:
    done = system.succeeded(BIA)
    running = system.processing(BIA)
    waiting = system.accept(BIA)
    unknown = Ref(ANA, "gen_01ARZ3NDEKTSV4RRFFQ69G5FAV")
    ports.calls.names.clear()

    until = ports.clock.now() + START_TIMEOUT
    assert start_generation([ref(done), ref(running), ref(waiting), unknown], ports=ports, until=until) == []

    assert ports.calls.names == ["FakeGenerations.get_many"]  # no slot, no write, no create


def test_a_message_before_its_time_is_acknowledged_and_reconcile_sends_it_again(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    row = system.hear(row, ports.provider.fail(system.prediction(row).id, "E6716"))
    assert row.state is State.QUEUED

    assert system.start(row) == []
    assert system.row(row) == row
    assert len(ports.provider.requests) == 1

    system.reconcile(after=timedelta(seconds=15))
    system.deliver_starts()
    assert system.row(row).state is State.PROCESSING


def test_of_two_workers_with_the_same_message_one_creates(system: System, ports: FakePorts) -> None:
    row = system.accept()

    with meanwhile(ports, "FakeChanges.commit", lambda: system.start(row)):
        system.start(row)

    assert len(ports.provider.requests) == 1


def test_a_job_that_another_worker_gave_back_is_left_to_its_next_message(
    system: System, ports: FakePorts
) -> None:
    row = system.accept()

    def refused_elsewhere() -> None:
        ports.provider.refuse(ProviderUnavailable("503"))
        system.start(row)
        ports.clock.advance(timedelta(seconds=10))

    with meanwhile(ports, "FakeChanges.commit", refused_elsewhere):
        assert system.start(row) == []

    assert not ports.provider.requests  # its webhook's address would name the attempt before
    assert (system.row(row).state, system.row(row).attempt) == (State.QUEUED, 1)


def test_a_claim_that_cannot_be_written_is_delivered_again_alone(system: System, ports: FakePorts) -> None:
    stuck, fine = system.accept(), system.accept()

    def refuse() -> None:
        raise Transient("the table is away")

    with meanwhile(ports, "FakeChanges.commit", refuse):
        assert system.start(stuck, fine) == [ref(stuck)]

    assert system.row(fine).state is State.PROCESSING
    assert system.start(stuck) == []
    assert system.row(stuck).state is State.PROCESSING


# The pace


def test_each_create_waits_for_its_slot(system: System, ports: FakePorts) -> None:
    rows = [system.accept() for _ in range(5)]
    begun = ports.clock.now()

    system.start(*rows)

    times = [p.created_at - begun for p in ports.provider.predictions.values() if p.created_at]
    gap = timedelta(seconds=60 / 600 * 1.01)
    assert times == [gap * n for n in range(5)]


def test_who_came_first_is_started_first(system: System, ports: FakePorts) -> None:
    rows = [system.accept() for _ in range(3)]

    system.start(*reversed(rows))

    assert [system.prediction(r).id for r in rows] == sorted(ports.provider.requests)


def test_a_slot_beyond_the_processs_end_becomes_the_rows_due(system: System, ports: FakePorts) -> None:
    first, second = system.accept(), system.accept()
    now = ports.clock.now()
    ports.pace.reserve_creates(200, now=now, before=now + START_TIMEOUT)  # 20.2 s of everybody's slots
    slot = ports.clock.now() + timedelta(seconds=200 * 60 / 600 * 1.01)

    assert system.start(first, second) == []

    rows = system.row(first), system.row(second)
    assert [row.state for row in rows] == [State.QUEUED, State.QUEUED]
    assert rows[0].due_at == rows[0].not_before == slot
    assert not ports.provider.requests
    assert rows[0].attempt == 0

    system.reconcile(after=timedelta(seconds=21))
    system.deliver_starts()
    assert system.row(second).state is State.PROCESSING


def test_no_create_begins_that_may_not_fit_into_what_is_left(system: System, ports: FakePorts) -> None:
    slow, late = system.accept(), system.accept()

    def takes_long() -> None:
        ports.clock.advance(timedelta(seconds=30))

    with meanwhile(ports, "FakeProvider.create_prediction", takes_long):
        system.start(slow, late)

    assert system.row(slow).state is State.PROCESSING
    assert system.row(late).state is State.QUEUED
    assert system.row(late).due_at == ports.clock.now()


# The create is not answered


def test_a_create_whose_answer_was_lost_is_not_repeated(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)

    assert row.state is State.STARTING
    assert row.due_at == row.lease_until
    assert system.start(row) == []
    assert len(ports.provider.requests) == 1


def test_a_record_that_fails_leaves_the_job_to_be_found(system: System, ports: FakePorts) -> None:
    row = system.accept()

    def refuse() -> None:
        raise Transient("the table is away")

    with meanwhile(ports, "FakeChanges.commit", refuse, nth=2):
        assert system.start(row) == [ref(row)]
    assert system.start(row) == []

    system.reconcile(after=START_LEASE)
    assert system.row(row).prediction_id == system.prediction(row).id
    assert len(ports.provider.requests) == 1


# A create that outlived its lease


def test_a_late_create_is_canceled_and_counted_once(system: System, ports: FakePorts) -> None:
    row = system.accept()

    def lease_ends_first() -> None:
        system.reconcile(after=START_LEASE)
        assert system.row(row).state is State.QUEUED

    with meanwhile(ports, "FakeProvider.create_prediction", lease_ends_first):
        system.start(row)

    (late,) = ports.provider.predictions
    assert ports.provider.canceled == [late]
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1

    for _ in range(3):
        system.tell(ref(row), ports.provider.predictions[late], attempt=1)
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1
    assert ports.provider.canceled == [late]
    assert system.row(row).state is State.QUEUED


def test_the_record_of_a_prediction_that_a_webhook_adopted_first_changes_nothing(
    system: System, ports: FakePorts
) -> None:
    row = system.accept()

    def webhook() -> None:
        system.tell(ref(row), ports.provider.start("prediction0001"), attempt=1)

    with meanwhile(ports, "FakeChanges.commit", webhook, nth=2):
        assert system.start(row) == []

    row = system.row(row)
    assert (row.state, row.prediction_id) == (State.PROCESSING, "prediction0001")
    assert not ports.provider.canceled


def test_the_record_finds_a_job_that_has_already_ended(system: System, ports: FakePorts) -> None:
    row = system.accept()

    def webhook() -> None:
        system.tell(ref(row), ports.provider.succeed("prediction0001"), attempt=1)

    with meanwhile(ports, "FakeChanges.commit", webhook, nth=2):
        assert system.start(row) == []

    assert system.row(row).state is State.SUCCEEDED
    assert not ports.provider.canceled
    assert ports.telemetry.counts["PredictionsOrphaned"] == 0


def test_contention_on_the_account_is_no_failure_of_the_job(system: System, ports: FakePorts) -> None:
    row = system.accept()
    ports.provider.refuse(ProviderRejected("no"))

    def conflict() -> None:
        raise Conflict({"account"})

    with meanwhile(ports, "FakeChanges.commit", conflict, nth=2):
        assert system.start(row) == []

    assert system.row(row).state is State.FAILED


def test_a_lost_answer_is_counted(system: System, ports: FakePorts) -> None:
    ports.provider.refuse(ProviderTransient("connection reset"))
    system.started(system.accept())

    assert ports.telemetry.counts["CreatesUnknown"] == 1


# The pace, after a refusal of another


def test_slots_taken_back_by_a_refusal_of_another_are_reserved_again_behind_the_block(
    system: System, ports: FakePorts
) -> None:
    rows = [system.accept() for _ in range(3)]
    begun = ports.clock.now()
    until = begun + timedelta(seconds=5)

    with meanwhile(
        ports,
        "FakeProvider.create_prediction",
        lambda: ports.pace.block(sent_at=begun, now=begun, until=until),
    ):
        assert system.start(*rows) == []

    times = [p.created_at for p in ports.provider.predictions.values() if p.created_at]
    gap = timedelta(seconds=60 / 600 * 1.01)
    assert times == [begun, until, until + gap]


def test_a_worker_without_a_slot_waits_so_that_the_others_stay_in_the_queue(
    system: System, ports: FakePorts
) -> None:
    row, begun = system.accept(), ports.clock.now()
    until = begun + timedelta(minutes=10)
    ports.pace.block(sent_at=begun, now=begun, until=until)

    system.start(row)

    assert ports.clock.now() == begun + START_TIMEOUT - timedelta(seconds=40)
    assert system.row(row).due_at == until


def test_the_learned_rate_is_told_once_for_each_change(system: System, ports: FakePorts) -> None:
    refused = [system.accept() for _ in range(2)]
    ports.provider.refuse(ProviderThrottled("slow down", 30))
    system.start(*refused)

    assert ports.telemetry.values["CreatesPerMinute"] == [pytest.approx(600 / 1.01 / 1.03, rel=1e-3)]
