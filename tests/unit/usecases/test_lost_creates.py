"""Creates whose answer was lost: found by a webhook or the listing, or given up - never repeated blindly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from revela.domain.errors import ProviderTransient
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.policy import START_LEASE
from revela.domain.prediction import Prediction, PredictionStatus
from revela.usecases.polling import CREATE_MAY_TAKE, PATIENCE, poll_predictions
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, RECONCILE_TIMEOUT, System, ref
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

pytestmark = pytest.mark.usefixtures("several_places")


def lease_over(system: System) -> None:
    system.reconcile(after=START_LEASE)


def test_it_is_left_alone_while_the_lease_lives(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)

    system.reconcile(after=START_LEASE - timedelta(seconds=1))

    assert system.row(row) == row


def test_the_listing_proves_it(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)

    lease_over(system)

    row = system.row(row)
    assert row.state is State.PROCESSING
    assert row.prediction_id == system.prediction(row).id
    assert len(ports.provider.requests) == 1
    assert ports.telemetry.counts["CreatesLost"] == 0


def test_what_the_listing_shows_as_ended_is_finished(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True, num_outputs=2)
    ports.provider.succeed(system.prediction(row).id)

    lease_over(system)
    system.deliver_finishes()

    assert system.row(row).state is State.SUCCEEDED
    assert system.row(row).credits_charged == 2


def test_it_is_found_on_a_later_page(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    for _ in range(5):
        system.processing()
    ports.provider.page_size = 2

    lease_over(system)

    assert system.row(row).prediction_id == system.prediction(row).id


def test_it_is_found_although_the_providers_clock_is_behind_ours(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    created = system.prediction(row)
    assert created.created_at is not None
    behind = created.created_at - timedelta(seconds=30)
    ports.provider.predictions[created.id] = created.model_copy(update={"created_at": behind})

    lease_over(system)

    assert system.row(row).prediction_id == created.id
    assert len(ports.provider.requests) == 1


def test_the_next_create_follows_not_at_once(system: System, ports: FakePorts) -> None:
    row = system.starting(created=False)

    lease_over(system)

    row = system.row(row)
    assert row.state is State.QUEUED
    assert row.not_before == row.due_at
    assert row.not_before is not None
    assert row.not_before > ports.clock.now()


def test_a_worker_that_died_after_the_create_is_made_up_for(system: System, ports: FakePorts) -> None:
    row = system.accept()
    with dies_after(ports, "FakeProvider.create_prediction"):
        system.start(row)

    assert system.start(row) == []  # its own message, delivered again
    lease_over(system)

    assert system.row(row).state is State.PROCESSING
    assert len(ports.provider.requests) == 1


def test_a_worker_that_died_before_the_create_costs_a_lease(system: System, ports: FakePorts) -> None:
    row = system.accept()
    with dies_before(ports, "FakeProvider.create_prediction"):
        system.start(row)
    assert system.start(row) == []

    lease_over(system)
    row = system.row(row)
    assert (row.state, row.lost_creates, row.failures) == (State.QUEUED, 1, 0)
    assert row.due_at == row.not_before

    system.reconcile(after=timedelta(seconds=10))
    system.deliver_starts()
    assert (system.row(row).state, system.row(row).attempt) == (State.PROCESSING, 2)


def test_what_nobody_knows_three_times_fails_and_is_refunded(system: System, ports: FakePorts) -> None:
    row = system.starting(created=False, num_outputs=3)
    for times in (1, 2):
        lease_over(system)
        assert (system.row(row).state, system.row(row).lost_creates) == (State.QUEUED, times)
        ports.clock.advance(timedelta(minutes=1))
        ports.provider.refuse(ProviderTransient("connection reset"))
        system.started(row)

    lease_over(system)

    row = system.row(row)
    assert row.state is State.FAILED
    assert row.failure is not None
    assert row.failure.code == "provider_unknown"
    assert row.credits_refunded == 3
    assert row.attempt == 3
    assert ports.telemetry.counts["CreatesLost"] == 3


@pytest.mark.parametrize("error", [ProviderTransient("502"), ProviderTransient("timed out")])
def test_a_listing_that_cannot_be_read_proves_nothing(
    error: Exception, system: System, ports: FakePorts
) -> None:
    row = system.starting(created=True)
    ports.provider.failures.append(error)

    lease_over(system)
    assert system.row(row).state is State.STARTING

    lease_over(system)
    assert system.row(row).state is State.PROCESSING


def test_a_listing_that_breaks_off_half_way_proves_nothing(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    for _ in range(3):
        system.processing()
    ports.provider.page_size = 2

    def breaks() -> None:
        raise ProviderTransient("502")

    with meanwhile(ports, "FakeProvider._page", breaks, nth=2):
        lease_over(system)

    assert system.row(row).state is State.STARTING


def test_time_that_runs_out_after_the_claim_was_passed_proves_enough(
    system: System, ports: FakePorts
) -> None:
    for number in range(4):  # long ago, and not looked at since: their pages are the last
        system.processing(seed=number)
    ports.clock.advance(timedelta(minutes=20))
    system.starting(created=False, seed=90)
    lost = system.starting(created=False, seed=91)
    system.processing(seed=92)
    ports.provider.page_size = 2

    def takes_long() -> None:
        ports.clock.advance(timedelta(seconds=25))

    with meanwhile(ports, "FakeProvider._page", takes_long):
        lease_over(system)

    assert system.row(lost).state is State.QUEUED


def test_time_that_runs_out_in_the_listing_proves_nothing(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    for _ in range(3):
        system.processing()
    ports.provider.page_size = 2

    def takes_long() -> None:
        ports.clock.advance(timedelta(seconds=45))

    with meanwhile(ports, "FakeProvider._page", takes_long):
        lease_over(system)

    assert system.row(row).state is State.STARTING


# What is not its prediction


def retried(system: System) -> Generation:
    """A job whose first attempt failed at the provider, and whose second create came to nothing."""
    row = system.processing()
    row = system.hear(row, system.ports.provider.fail(system.prediction(row).id, "E8367"))
    system.ports.clock.advance(timedelta(seconds=5))
    system.ports.provider.refuse(ProviderTransient("connection reset"))
    row = system.started(row)
    assert (row.state, row.attempt) == (State.STARTING, 2)
    return row


def test_an_earlier_attempts_prediction_is_not_taken_for_it(system: System, ports: FakePorts) -> None:
    row = retried(system)

    lease_over(system)

    assert (system.row(row).state, system.row(row).lost_creates) == (State.QUEUED, 1)
    assert system.row(row).failures == 1


def test_an_orphan_of_an_earlier_attempt_is_not_taken_for_it(system: System, ports: FakePorts) -> None:
    row = system.accept()
    with meanwhile(ports, "FakeProvider.create_prediction", lambda: lease_over(system)):
        system.start(row)
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1
    ports.clock.advance(timedelta(seconds=10))
    ports.provider.refuse(ProviderTransient("connection reset"))
    row = system.started(row)
    assert (row.state, row.attempt) == (State.STARTING, 2)

    lease_over(system)

    assert (system.row(row).state, system.row(row).lost_creates) == (State.QUEUED, 2)


def test_the_prediction_of_a_twin_is_not_taken_away(system: System, ports: FakePorts) -> None:
    theirs = system.processing(BIA, seed=7)
    row = system.starting(created=False, seed=7)

    lease_over(system)

    assert system.row(row).state is State.QUEUED
    assert system.row(theirs).prediction_id == system.prediction(theirs).id


def test_of_two_lost_twins_each_gets_one(system: System, ports: FakePorts) -> None:
    rows = [system.starting(user, created=True, seed=7) for user in (ANA, BIA)]

    lease_over(system)

    assert {system.row(r).state for r in rows} == {State.PROCESSING}
    assert {system.row(r).prediction_id for r in rows} == set(ports.provider.predictions)
    assert len(ports.provider.requests) == 2


def test_of_two_lost_twins_with_one_prediction_one_is_tried_again(system: System, ports: FakePorts) -> None:
    rows = [system.starting(ANA, created=True, seed=7), system.starting(BIA, created=False, seed=7)]

    lease_over(system)

    assert sorted(system.row(r).state for r in rows) == [State.PROCESSING, State.QUEUED]


def test_who_lost_its_prediction_to_a_twin_is_tried_again(system: System, ports: FakePorts) -> None:
    lost = system.starting(ANA, created=False, seed=7)
    ports.clock.advance(START_LEASE - timedelta(seconds=1))
    twin = system.accept(BIA, seed=7)

    def lost_is_looked_for() -> None:
        system.reconcile(after=timedelta(seconds=1))

    # Between the twin's create and its record.
    with meanwhile(ports, "FakeChanges.commit", lost_is_looked_for, nth=2):
        assert system.start(twin) == []
    assert system.row(lost).prediction_id == "prediction0001"
    assert system.row(twin).state is State.STARTING
    assert not ports.provider.canceled

    lease_over(system)
    assert (system.row(twin).state, system.row(twin).lost_creates) == (State.QUEUED, 1)
    ports.clock.advance(timedelta(seconds=10))
    assert system.started(twin).state is State.PROCESSING


def test_what_a_webhook_adopts_during_the_listing_keeps_its_prediction(
    system: System, ports: FakePorts
) -> None:
    row = system.starting(created=True)
    prediction = ports.provider.start(system.prediction(row).id)

    with meanwhile(ports, "FakeProvider._page", lambda: system.tell(ref(row), prediction, attempt=1)):
        lease_over(system)

    assert (system.row(row).state, system.row(row).prediction_id) == (State.PROCESSING, prediction.id)
    assert not ports.provider.canceled


@pytest.mark.parametrize("order", [1, -1], ids=["oldest-first", "newest-first"])
def test_what_a_webhook_adopts_during_the_listing_leaves_its_twin_the_other_prediction(
    order: int, system: System, ports: FakePorts
) -> None:
    rows = [system.starting(user, created=True, seed=7) for user in (ANA, BIA)]
    now = ports.clock.advance(START_LEASE)

    def webhook() -> None:
        system.tell(ref(rows[0]), ports.provider.start(system.prediction(rows[0]).id), attempt=1)

    with meanwhile(ports, "FakeProvider._page", webhook):
        poll_predictions(rows[::order], ports=ports, until=now + RECONCILE_TIMEOUT)

    assert [system.row(r).prediction_id for r in rows] == [system.prediction(r).id for r in rows]


def test_a_job_that_is_at_its_next_attempt_by_then_is_not_given_up(system: System, ports: FakePorts) -> None:
    row = system.accept()
    ports.provider.delay_create()
    system.started(row)

    def fails_and_starts_again() -> None:
        (late,) = ports.provider.arrive()
        system.tell(ref(row), ports.provider.fail(late.id, "E8367"), attempt=1)
        ports.clock.advance(timedelta(seconds=5))
        ports.provider.refuse(ProviderTransient("connection reset"))
        assert system.started(row).attempt == 2

    # After the listing showed nothing, before the row is read once more.
    with meanwhile(ports, "FakeGenerations.get", fails_and_starts_again):
        lease_over(system)

    assert (system.row(row).state, system.row(row).attempt) == (State.STARTING, 2)
    assert system.row(row).lost_creates == 0


def test_a_create_that_takes_effect_after_it_was_given_up_is_an_orphan(
    system: System, ports: FakePorts
) -> None:
    row = system.accept()
    ports.provider.delay_create()
    system.started(row)
    lease_over(system)
    assert system.row(row).state is State.QUEUED
    (late,) = ports.provider.arrive()
    ports.clock.advance(timedelta(seconds=10))
    row = system.started(row)

    for _ in range(2):
        system.tell(ref(row), ports.provider.predictions[late.id], attempt=1)

    assert ports.provider.canceled == [late.id]
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1
    assert system.row(row) == row


def test_a_start_that_arrives_after_the_job_was_given_up_is_an_orphan(
    system: System, ports: FakePorts
) -> None:
    row = system.starting(created=True)
    late = system.prediction(row)
    hidden = ports.provider.predictions.pop(late.id)
    lease_over(system)
    ports.provider.predictions[late.id] = hidden
    assert system.row(row).state is State.QUEUED

    system.tell(ref(row), ports.provider.start(late.id), attempt=1)

    assert ports.provider.canceled == [late.id]
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1
    assert system.row(row).state is State.QUEUED


def test_a_success_that_arrives_after_the_job_was_given_up_is_not_saved(
    system: System, ports: FakePorts
) -> None:
    row = system.starting(created=True)
    late = ports.provider.succeed(system.prediction(row).id)
    del ports.provider.predictions[late.id]
    lease_over(system)

    system.tell(ref(row), late, attempt=1)

    assert system.row(row).state is State.QUEUED
    assert not ports.objects.stored
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1


def test_a_listing_that_is_never_read_to_its_end_keeps_no_job_for_ever(
    system: System, ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = system.starting(created=False)
    made = Prediction(id="others", status=PredictionStatus.SUCCEEDED, created_at=ports.clock.now())

    def endless(**_: object) -> Iterator[Sequence[Prediction]]:
        while True:
            ports.clock.advance(timedelta(seconds=2))
            yield [made]

    monkeypatch.setattr(ports.provider, "list_predictions", endless)
    assert row.deadline_at is not None
    while system.row(row).state is State.STARTING:
        assert ports.clock.now() < row.deadline_at + PATIENCE + timedelta(minutes=10)
        system.until_due(row)

    assert ports.clock.now() >= row.deadline_at + PATIENCE
    assert system.row(row).state is State.QUEUED


def test_a_lost_create_is_found_however_much_was_made_since(system: System, ports: FakePorts) -> None:
    row = system.starting(created=True)
    ports.clock.advance(CREATE_MAY_TAKE)
    for _ in range(3):
        system.processing(BIA)
    asked: list[object] = []
    real = ports.provider.list_predictions

    def listed(*, created_after: datetime, created_before: datetime | None = None) -> object:
        asked.append(created_before)
        return real(created_after=created_after, created_before=created_before)

    ports.provider.list_predictions = listed  # type: ignore[method-assign, assignment]  # it listens
    system.reconcile()

    assert row.claimed_at is not None
    assert asked == [row.claimed_at + CREATE_MAY_TAKE]
    assert system.row(row).state is State.PROCESSING
