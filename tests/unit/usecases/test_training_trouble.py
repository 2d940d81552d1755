"""Whatever goes wrong around a training: it ends once, is paid once or not at all, and nothing is left."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import (
    ProviderTransient,
)
from revela.domain.job import State
from revela.domain.model_health import FAILURES_MAX
from revela.domain.policy import DEADLINE_MARGIN, LOST_CREATES_MAX, QUEUE_AGE_MAX, TRAINING_START_LEASE
from revela.ports import CreateTraining
from revela.usecases.delete_model import delete_model
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import of
from tests.unit.usecases.training_system import TrainingSystem

# Creates whose answer was lost


def test_the_listing_of_trainings_proves_a_create_whose_answer_was_lost(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.unanswered(created=True)

    row = trainings.when_due(row)

    assert (row.state, row.prediction_id) == (State.PROCESSING, trainings.newest(row).id)
    assert ports.telemetry.counts["CreatesLost"] == 0
    assert trainings.report(row, trainings.done(row)).state is State.SUCCEEDED


def test_it_is_found_among_others_on_a_later_page(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.unanswered(created=True)
    for _ in range(3):
        ports.provider.create_training(
            CreateTraining("a/b:c", "revela/revela-flux-lora", {"input_images": "https://x.test"}, None)
        )
    ports.provider.page_size = 1

    row = trainings.when_due(row)

    assert row.prediction_id == trainings.newest(row).id


def test_two_trainings_of_one_model_adopt_each_their_own(trainings: TrainingSystem, ports: FakePorts) -> None:
    rows = [trainings.unanswered(created=True) for _ in range(2)]

    trainings.reconcile(after=TRAINING_START_LEASE)

    adopted = [trainings.now(row).prediction_id for row in rows]
    assert adopted == [trainings.newest(row).id for row in rows]


def test_a_webhook_proves_it_sooner(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.unanswered(created=True)

    row = trainings.report(row, ports.provider.start(trainings.newest(row).id))

    assert (row.state, row.prediction_id) == (State.PROCESSING, trainings.newest(row).id)


def test_its_end_may_be_the_first_that_is_heard_of_it(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.unanswered(created=True)

    row = trainings.report(row, trainings.done(row))

    assert row.state is State.SUCCEEDED


def test_what_was_never_created_is_sent_again_and_at_last_given_up(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.unanswered(created=False)
    for _ in range(LOST_CREATES_MAX):
        ports.provider.refuse(ProviderTransient("connection reset"))

    for _ in range(10):
        if trainings.now(row).state.terminal:
            break
        trainings.when_due(row)

    row = trainings.now(row)
    assert row.failure is not None
    assert (row.state, row.failure.code) == (State.FAILED, "provider_unknown")
    assert row.attempt == 1 + LOST_CREATES_MAX
    assert row.credits_refunded == row.credits_held


def test_a_create_that_takes_effect_after_it_was_given_up_is_canceled_there(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    ports.provider.delay_create()
    row = trainings.begin(trainings.train())
    trainings.when_due(row)
    row = trainings.when_due(row)
    assert (row.state, row.attempt) == (State.PROCESSING, 2)

    (late,) = ports.provider.arrive()
    row = trainings.report(row, late, attempt=1)

    assert row.prediction_id != late.id
    assert ports.provider.canceled == [late.id]
    assert ports.telemetry.counts["PredictionsOrphaned"] == 1


def test_no_create_is_repeated_while_nobody_knows(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.unanswered(created=True)

    trainings.begin(row)
    trainings.reconcile(after=timedelta(seconds=30))
    trainings.deliver_training_starts()

    assert len(ports.provider.trainings) == 1


# Ends


@pytest.mark.parametrize(
    ("error", "attempts", "code"),
    [
        ("CUDA out of memory", 1, "out_of_memory"),
        ("NSFW content detected", 1, "photos_moderated"),
        ("cannot identify image file", 1, "photos_unreadable"),
        ("BadZipFile: File is not a zip file", 2, "photos_lost"),
        ("Failed to create trained image after successful training run.", 2, "version_lost"),
        ("OSError: read-only file system", 2, "trainer_broken"),
        ("whatever nobody has seen", 2, "provider_failed"),
        (None, 2, "provider_failed"),
    ],
)
def test_a_failure_is_tried_as_often_as_its_cause_allows(
    trainings: TrainingSystem, ports: FakePorts, error: str | None, attempts: int, code: str
) -> None:
    row = trainings.running()
    for _ in range(attempts):
        if row.state is State.QUEUED:
            row = trainings.when_due(row)
        row = trainings.report(row, ports.provider.fail(trainings.newest(row).id, error))

    assert row.failure is not None
    assert (row.state, row.failure.code, row.attempt) == (State.FAILED, code, attempts)
    assert row.credits_refunded == row.credits_held
    assert not trainings.kept_uploads()


def test_a_new_attempt_uploads_its_photos_anew(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    first = row.input_file_id

    row = trainings.report(row, ports.provider.fail(trainings.newest(row).id))
    assert not trainings.kept_uploads()
    row = trainings.when_due(row)

    assert row.input_file_id != first
    assert trainings.kept_uploads() == [row.input_file_id]


def test_a_trainer_that_breaks_for_everybody_is_rested(trainings: TrainingSystem, ports: FakePorts) -> None:
    for _ in range(FAILURES_MAX):
        row = trainings.running()
        trainings.report(row, ports.provider.fail(trainings.newest(row).id, "No module named 'x'"))
        trainings.cancel(row)

    assert ports.telemetry.counts["ModelUnavailable"] == 1


def test_a_training_that_hangs_is_canceled_past_its_deadline(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    assert row.deadline_at is not None
    ports.clock.advance(row.deadline_at + DEADLINE_MARGIN - ports.clock.now())

    row = trainings.when_due(row)

    assert row.failure is not None
    assert (row.state, row.failure.code, row.attempt) == (State.FAILED, "timeout", 1)
    assert ports.provider.canceled == [row.prediction_id]
    assert row.credits_refunded == row.credits_held


def test_before_its_deadline_it_is_left_to_run(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    assert row.deadline_at is not None
    while ports.clock.now() < row.deadline_at:
        trainings.when_due(row)

    assert not ports.provider.canceled
    assert trainings.now(row).state is State.PROCESSING


def test_a_provider_that_does_not_obey_does_not_keep_the_hold(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    ports.provider.obeys_cancel = False
    assert row.deadline_at is not None
    ports.clock.advance(row.deadline_at + DEADLINE_MARGIN - ports.clock.now())

    row = trainings.when_due(row)

    assert row.failure is not None
    assert (row.state, row.failure.code) == (State.FAILED, "timeout")


def test_a_training_lives_by_polling_alone(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    ports.provider.start(trainings.newest(row).id)
    for _ in range(10):
        trainings.when_due(row)
    trainings.done(row)

    row = trainings.when_due(row)

    assert row.state is State.SUCCEEDED


def test_a_training_that_the_provider_does_not_know_any_more_is_tried_again(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    del ports.provider.trainings[row.prediction_id or ""]

    row = trainings.when_due(row)

    assert (row.state, row.failures) == (State.QUEUED, 1)


def test_late_and_repeated_webhooks_change_nothing(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    started = ports.provider.start(trainings.newest(row).id)
    done = trainings.done(row)
    row = trainings.report(row, done)

    for late in (started, done, started):
        assert trainings.report(row, late) == row
    assert not ports.provider.canceled


def test_a_webhook_of_an_attempt_before_moves_nothing(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    failed = ports.provider.fail(trainings.newest(row).id)
    trainings.report(row, failed)
    row = trainings.when_due(row)

    assert trainings.report(row, failed, attempt=1) == row
    assert trainings.now(row).state is State.PROCESSING


def test_what_waits_for_more_than_a_day_fails_and_is_refunded(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.train()
    ports.clock.advance(QUEUE_AGE_MAX + timedelta(seconds=1))

    row = trainings.when_due(row)

    assert row.failure is not None
    assert (row.state, row.failure.code) == (State.FAILED, "queue_timeout")


def test_a_model_deleted_while_it_trains_is_gone_when_its_training_has_ended(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    delete_model(of(trainings.model), ports=ports)

    trainings.reconcile()
    trainings.deliver_training_starts()
    row = trainings.report(row, trainings.newest(row))
    assert row.state is State.CANCELED
    trainings.reconcile(after=timedelta(minutes=5))

    assert not ports.store.models
    assert not ports.store.trainings
    assert trainings.account().held == 0


def test_an_upload_that_cannot_be_deleted_keeps_nobody(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    done = trainings.done(row)
    ports.provider.failures.append(ProviderTransient("502"))

    row = trainings.report(row, done)

    assert row.state is State.SUCCEEDED
    assert "upload_not_deleted" in ports.telemetry.events()
