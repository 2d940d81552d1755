from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from revela.domain.job import State
from revela.domain.model_health import FAILURES_MAX
from revela.domain.policy import QUEUE_AGE_MAX, TRAINING_START_LEASE
from revela.usecases.model_health import report_failure
from revela.usecases.start_training import ONE_TRAINING_NEEDS
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import job
from tests.unit.usecases.training_system import TrainingSystem
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

Dies = Callable[..., AbstractContextManager[None]]


def test_the_photos_are_packed_in_order_and_handed_over(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()

    assert row.input_file_id is not None
    archive = zipfile.ZipFile(io.BytesIO(ports.provider.uploads[row.input_file_id]))
    assert archive.namelist() == [f"{n:02d}.jpg" for n in range(1, 6)]
    assert [archive.read(name) for name in archive.namelist()] == [
        ports.objects.stored[photo.key].data for photo in row.photos
    ]


def test_it_is_created_with_the_pinned_trainer_under_our_own_destination(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running(steps=1500)

    (request,) = ports.provider.training_requests.values()
    trainer = ports.catalog.trainer(row.trainer)
    assert request.trainer == trainer.provider.reference
    assert request.destination == row.destination == "revela/revela-flux-lora"
    assert request.destination in ports.provider.destinations
    assert row.input_url is not None
    assert request.input == trainer.render_training_input(
        row.params, row.subject, input_images_url=row.input_url
    )
    assert request.webhook_url is not None
    assert "/webhooks/training?" in request.webhook_url
    assert f"id={row.id}&attempt=1&" in request.webhook_url


def test_its_deadline_follows_from_what_was_asked(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running(steps=2000)

    assert row.claimed_at is not None
    deadline = timedelta(seconds=ports.catalog.trainer(row.trainer).deadline_s(row.params))
    assert row.deadline_at == row.claimed_at + deadline


def test_a_second_delivery_changes_nothing(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()

    assert trainings.begin(row) == row
    assert len(ports.provider.trainings) == 1
    assert len(ports.provider.uploads) == 1


def test_two_deliveries_at_once_create_one_training_and_leave_one_upload(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.train()

    with meanwhile(ports, "FakePace.reserve_read", lambda: trainings.begin(row)):
        trainings.begin(row)

    assert len(ports.provider.trainings) == 1
    assert trainings.kept_uploads() == [trainings.now(row).input_file_id]


def test_a_message_of_a_training_that_is_gone_is_acknowledged(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.train()
    ports.store.trainings.pop(job(row))

    trainings.deliver_training_starts()

    assert not ports.provider.uploads
    ports.store.trainings[job(row)] = row


def test_who_cancels_during_the_upload_is_obeyed(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.train()

    with meanwhile(ports, "FakePace.reserve_read", lambda: trainings.cancel(row)):
        row = trainings.begin(row)

    assert row.state is State.CANCELED
    assert not ports.provider.trainings
    assert not trainings.kept_uploads()


def test_with_too_little_time_left_nothing_is_begun(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.begin(trainings.train(), time_left=ONE_TRAINING_NEEDS - timedelta(seconds=1))

    assert row.state is State.QUEUED
    assert row.due_at == ports.clock.now()
    assert not ports.provider.uploads


def test_a_trainer_that_rests_is_waited_for(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.train()
    until = [report_failure(row.trainer, ports=ports) for _ in range(FAILURES_MAX)][-1]

    row = trainings.begin(row)

    assert (row.state, row.not_before, row.due_at) == (State.QUEUED, until, until)
    assert not ports.provider.uploads


def test_an_account_that_is_blocked_uploads_nothing(trainings: TrainingSystem, ports: FakePorts) -> None:
    now = ports.clock.now()
    until = now + timedelta(minutes=2)
    ports.pace.block(sent_at=now, now=now, until=until)

    row = trainings.begin(trainings.train())

    assert (row.state, row.due_at) == (State.QUEUED, until)
    assert not ports.provider.uploads


def test_the_create_keeps_the_pace_of_all_requests_that_are_no_predictions(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    now = ports.clock.now()
    ports.pace.read_refused(sent_at=now, now=now, until=now + timedelta(seconds=20))

    row = trainings.running()

    assert row.claimed_at == now + timedelta(seconds=20)


def test_a_slot_too_far_ahead_is_left_to_another_process(trainings: TrainingSystem, ports: FakePorts) -> None:
    now = ports.clock.now()
    ports.pace.read_refused(sent_at=now, now=now, until=now + timedelta(minutes=10))

    row = trainings.begin(trainings.train())

    assert row.state is State.QUEUED
    assert not ports.provider.trainings
    assert not trainings.kept_uploads()


def test_a_trainer_that_left_the_catalog_is_waited_for_as_long_as_jobs_may_be_queued(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.train()
    others = tuple(t for t in ports.catalog.trainers if t.id != row.trainer)
    ports.catalog = ports.catalog.model_copy(update={"trainers": others})

    assert trainings.begin(row).state is State.QUEUED

    ports.clock.advance(QUEUE_AGE_MAX + timedelta(seconds=1))
    row = trainings.when_due(row)
    assert row.failure is not None
    assert (row.state, row.failure.code) == (State.FAILED, "queue_timeout")
    assert row.credits_refunded == row.credits_held


def test_photos_that_changed_or_are_gone_fail_it_without_charge(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    gone, changed = trainings.train(), trainings.train()
    key = gone.photos[2].key
    kept = ports.objects.stored.pop(key)

    gone = trainings.begin(gone)
    ports.objects.stored[key] = kept._replace(data=b"another photo")
    changed = trainings.begin(changed)

    for row in (gone, changed):
        assert row.failure is not None
        assert (row.state, row.failure.code) == (State.FAILED, "photos_lost")
        assert row.credits_refunded == row.credits_held
    assert not ports.provider.trainings


@pytest.mark.parametrize("dies", [dies_before, dies_after])
@pytest.mark.parametrize(
    "call",
    [
        "FakeProvider.account_name",
        "FakeProvider.ensure_destination",
        "FakeObjects.fetch",
        "FakeProvider.upload",
        "FakePace.reserve_read",
        "FakeChanges.commit",
        "FakeProvider.create_training",
    ],
)
def test_a_process_that_dies_anywhere_loses_and_doubles_nothing(
    trainings: TrainingSystem, ports: FakePorts, dies: Dies, call: str
) -> None:
    row = trainings.train()

    with dies(ports, call):
        trainings.begin(row)
    for _ in range(6):
        if trainings.now(row).state is State.PROCESSING:
            break
        trainings.when_due(row)

    assert trainings.now(row).state is State.PROCESSING
    assert len(ports.provider.trainings) == 1
    assert trainings.report(row, trainings.done(row)).state is State.SUCCEEDED


def test_the_lease_outlives_the_process_that_took_it(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.unanswered(created=True)

    assert row.lease_until == row.due_at == ports.clock.now() + TRAINING_START_LEASE
    trainings.reconcile(after=TRAINING_START_LEASE - timedelta(seconds=1))
    assert trainings.now(row) == row
