from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import (
    Conflict,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    Transient,
)
from revela.domain.generation import Generation, State
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from revela.usecases.reconcile_jobs import reconcile_jobs
from tests.fakes import FakePorts
from tests.unit.usecases.system import ALL_DUE, ANA, BIA, System, ref
from tests.unit.usecases.trouble import dies_after, meanwhile

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def ana_has_several_places(system: System) -> None:
    system.subscribe(ANA, plan="studio")


def until_due(system: System, row: Generation) -> None:
    """Let the time pass until the row is due, and reconcile."""
    due_at = system.row(row).due_at
    assert due_at is not None
    system.reconcile(after=max(due_at - system.ports.clock.now(), timedelta(0)))


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
        until_due(system, row)
        due_at = system.row(row).due_at
        assert due_at is not None
        gaps.append((due_at - ports.clock.now()) / MINUTE)

    assert gaps == [1, 2, 4, 8, 10, 10, 10]


def test_what_has_progressed_is_looked_at_often_again(system: System, ports: FakePorts) -> None:
    row = system.accept()
    for _ in range(5):
        until_due(system, row)
    system.started(row)

    until_due(system, row)

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

    until_due(system, tail)

    assert [system.row(r).state for r in (head, tail)] == [State.QUEUED, State.WAITING]


def test_who_waits_is_looked_at_every_two_minutes_however_long_it_takes(system: System) -> None:
    system.accept(BIA)
    waiting = system.accept(BIA)

    for _ in range(12):
        assert waiting.due_at is not None
        assert waiting.due_at - system.ports.clock.now() <= 2 * MINUTE
        until_due(system, waiting)
        waiting = system.row(waiting)

    assert waiting.state is State.WAITING


def test_a_job_that_was_visited_while_it_waited_is_handed_over_like_any(
    system: System, ports: FakePorts
) -> None:
    running, waiting = system.processing(BIA), system.accept(BIA)
    until_due(system, waiting)

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


# Without any webhook


def test_a_job_lives_by_polling_alone(system: System, ports: FakePorts) -> None:
    ports.webhook_urls.base = None
    row = system.started(system.accept(num_outputs=2))
    assert row.prediction_id
    ports.provider.succeed(row.prediction_id)

    system.reconcile(after=timedelta(seconds=30))
    assert system.row(row).state is State.PROCESSING  # it never downloads
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED


def test_a_running_prediction_is_looked_at_again_later(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.start(system.prediction(row).id)
    gaps = []
    for _ in range(3):
        until_due(system, row)
        due_at = system.row(row).due_at
        assert due_at is not None
        gaps.append((due_at - ports.clock.now()).total_seconds())

    # Doubled, but never past the deadline and its margin: 120 + 30 s after the claim.
    assert gaps == [30, 60, 30]
    assert not ports.commands.finished


def test_an_aborted_prediction_is_noticed_though_no_webhook_tells(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.abort(system.prediction(row).id)

    until_due(system, row)
    system.deliver_finishes()

    assert (system.row(row).state, system.row(row).failures) == (State.QUEUED, 1)


def test_many_are_read_by_pages_and_only_the_missing_one_by_one(system: System, ports: FakePorts) -> None:
    rows = [system.processing() for _ in range(8)]
    ports.provider.page_size = 3
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    hidden = system.prediction(rows[0])
    ports.provider.predictions[hidden.id] = hidden.model_copy(
        update={"created_at": ports.clock.now() - timedelta(days=1)}
    )
    ports.calls.names.clear()

    system.reconcile(after=timedelta(seconds=30))

    names = [n for n in ports.calls.names if n.startswith("FakeProvider") and "secret" not in n]
    assert names == ["FakeProvider._page"] * 3 + ["FakeProvider.get_prediction"]
    assert len(ports.commands.finished) == 8


def test_few_are_read_one_by_one(system: System, ports: FakePorts) -> None:
    for _ in range(3):
        system.processing()
    ports.calls.names.clear()

    system.reconcile(after=timedelta(seconds=30))

    assert ports.calls.names.count("FakeProvider.get_prediction") == 3
    assert "FakeProvider._page" not in ports.calls.names


def test_a_prediction_the_provider_does_not_know_any_more_is_made_again(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    del ports.provider.predictions[system.prediction(row).id]

    until_due(system, row)
    system.deliver_finishes()

    assert (system.row(row).state, system.row(row).failures) == (State.QUEUED, 1)


@pytest.mark.parametrize(
    "error", [ProviderTransient("502"), ProviderThrottled("slow down"), ProviderRejected("not an id")]
)
def test_one_answer_that_fails_does_not_discard_the_others(
    error: Exception, system: System, ports: FakePorts
) -> None:
    rows = [system.processing() for _ in range(3)]
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    ports.provider.failures.append(error)

    system.reconcile(after=timedelta(seconds=30))
    system.deliver_finishes()

    assert sorted(system.row(r).state for r in rows) == [State.PROCESSING, State.SUCCEEDED, State.SUCCEEDED]


def test_a_listing_that_fails_is_made_up_for_by_single_requests(system: System, ports: FakePorts) -> None:
    rows = [system.processing() for _ in range(5)]
    for row in rows:
        ports.provider.succeed(system.prediction(row).id)
    ports.provider.failures.append(ProviderNotFound("no such page"))

    system.reconcile(after=timedelta(seconds=30))
    system.deliver_finishes()

    assert {system.row(r).state for r in rows} == {State.SUCCEEDED}


def test_a_finish_message_that_cannot_be_sent_is_sent_next_time(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.succeed(system.prediction(row).id)
    ports.commands.failure = Transient("the queue is away")
    until_due(system, row)
    ports.commands.failure = None

    until_due(system, row)
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED


# Deadlines


def past_deadline(system: System, row: Generation) -> None:
    assert row.deadline_at is not None
    system.reconcile(after=row.deadline_at - system.ports.clock.now() + timedelta(seconds=31))


def test_a_prediction_past_its_deadline_is_canceled_and_fails(system: System, ports: FakePorts) -> None:
    row = system.processing(num_outputs=2)

    past_deadline(system, row)
    assert ports.provider.canceled == [row.prediction_id]
    system.deliver_finishes()

    row = system.row(row)
    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "timeout"
    assert row.credits_refunded == 2


def test_what_had_succeeded_when_the_deadline_passed_is_saved(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.succeed(system.prediction(row).id)

    past_deadline(system, row)
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED
    assert not ports.provider.canceled


def test_what_succeeds_while_we_cancel_it_is_saved(system: System, ports: FakePorts) -> None:
    row = system.processing()
    assert row.prediction_id
    prediction_id = row.prediction_id

    with meanwhile(ports, "FakeProvider.cancel_prediction", lambda: ports.provider.succeed(prediction_id)):
        past_deadline(system, row)
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED


def test_a_prediction_that_does_not_obey_ends_its_job_all_the_same(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.provider.obeys_cancel = False

    past_deadline(system, row)

    row = system.row(row)
    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "timeout"


def test_a_prediction_that_does_not_obey_the_user_is_told_again_and_ends_at_its_deadline(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    ports.provider.obeys_cancel = False
    cancel_generation(ref(row), ports=ports)
    for _ in range(3):
        until_due(system, row)
    assert len(ports.provider.canceled) == 3
    assert system.row(row).state is State.PROCESSING

    past_deadline(system, row)

    assert system.row(row).state is State.CANCELED


def test_a_cancel_is_repeated_soon_however_long_the_job_has_run(system: System, ports: FakePorts) -> None:
    row = system.processing(model="sdxl")
    for _ in range(3):
        until_due(system, row)
    cancel_generation(ref(row), ports=ports)
    ports.provider.failures.append(ProviderTransient("502"))

    until_due(system, row)
    due_at = system.row(row).due_at

    assert due_at is not None
    assert due_at - ports.clock.now() <= timedelta(seconds=15)


def test_a_cancel_is_not_repeated_past_the_deadline(system: System, ports: FakePorts) -> None:
    row = system.processing(model="sdxl")
    ports.provider.obeys_cancel = False
    cancel_generation(ref(row), ports=ports)
    while system.row(row).state is State.PROCESSING:
        until_due(system, row)

    assert row.deadline_at is not None
    assert ports.clock.now() - row.deadline_at < MINUTE


def test_however_long_the_provider_is_silent_it_is_asked_every_few_minutes(
    system: System, ports: FakePorts
) -> None:
    row = system.processing()
    cancel_generation(ref(row), ports=ports)
    ports.calls.before = lambda name: _fail_on(name, "FakeProvider.get_prediction")
    for _ in range(12):
        until_due(system, row)

    due_at = system.row(row).due_at
    assert due_at is not None
    assert due_at - ports.clock.now() == timedelta(minutes=4)


def test_a_cancel_nobody_answers_at_the_deadline_is_tried_again(system: System, ports: FakePorts) -> None:
    row = system.processing()
    ports.calls.before = lambda name: _fail_on(name, "FakeProvider.cancel_prediction")
    past_deadline(system, row)
    assert system.row(row).state is State.PROCESSING

    ports.calls.before = lambda _: None
    until_due(system, row)
    system.deliver_finishes()
    assert system.row(row).state is State.FAILED


def _fail_on(name: str, call: str) -> None:
    if name == call:
        raise ProviderTransient("502")


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
                raise Conflict({"generation"})

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
