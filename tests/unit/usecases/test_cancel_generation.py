from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import (
    NotFound,
    NotNow,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnavailable,
    Transient,
)
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.domain.prediction import PredictionStatus
from revela.ports import Ref
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from tests.fakes import FakePorts
from tests.unit.usecases.system import ANA, BIA, System, ref
from tests.unit.usecases.trouble import meanwhile


def cancel(row: Generation, ports: FakePorts) -> Generation:
    return cancel_generation(ref(row), ports=ports)


# While the job is ours alone


def test_a_waiting_job_ends_at_once_and_leaves_the_line(system: System, ports: FakePorts) -> None:
    running, waiting = system.accept(), system.accept()

    assert cancel(waiting, ports).state is State.CANCELED

    assert (system.account().running, system.account().waiting) == (1, 0)
    assert system.row(running).state is State.QUEUED


def test_a_queued_job_ends_at_once_and_all_is_refunded(system: System, ports: FakePorts) -> None:
    row = cancel(system.accept(num_outputs=2), ports)

    assert row.state is State.CANCELED
    assert (row.credits_held, row.credits_charged, row.credits_refunded) == (2, 0, 2)
    assert (system.account().available, system.account().held) == (20, 0)
    assert row.completed_at == ports.clock.now()


def test_the_place_goes_to_who_has_waited_longest(system: System, ports: FakePorts) -> None:
    first, second, third = (system.accept() for _ in range(3))
    ports.commands.take_started()

    cancel(first, ports)

    assert [system.row(r).state for r in (second, third)] == [State.QUEUED, State.WAITING]
    assert ports.commands.started == [ref(second)]


def test_the_line_closes_up_behind_one_who_leaves_it(system: System, ports: FakePorts) -> None:
    first, second, third = (system.accept() for _ in range(3))

    cancel(second, ports)
    cancel(first, ports)

    assert system.row(third).state is State.QUEUED


def test_the_start_message_of_a_canceled_job_creates_nothing(system: System, ports: FakePorts) -> None:
    row = cancel(system.accept(), ports)

    assert system.start(row) == []

    assert not ports.provider.requests


def test_a_message_that_claims_first_wins_and_the_cancel_is_passed_on(
    system: System, ports: FakePorts
) -> None:
    row = system.accept()

    with meanwhile(ports, "FakeChanges.commit", lambda: system.start(row)):
        answer = cancel(row, ports)

    assert answer.state is State.PROCESSING
    assert answer.cancel_requested_at == ports.clock.now()


def test_a_cancel_that_comes_first_wins_over_the_claim(system: System, ports: FakePorts) -> None:
    row = system.accept()

    with meanwhile(ports, "FakeChanges.commit", lambda: cancel(row, ports)):
        system.start(row)

    assert system.row(row).state is State.CANCELED
    assert not ports.provider.requests


# While the provider has it


def test_a_running_job_keeps_its_hold_until_the_provider_has_answered(
    system: System, ports: FakePorts
) -> None:
    row = cancel(system.processing(num_outputs=2), ports)

    assert row.state is State.PROCESSING
    assert row.cancel_requested_at == row.due_at == ports.clock.now()
    assert system.account().held == 2


def test_a_worker_passes_the_cancel_on_at_once(system: System, ports: FakePorts) -> None:
    row = cancel(system.processing(), ports)

    system.deliver_starts()

    assert ports.provider.canceled == [row.prediction_id]


def test_canceled_at_the_provider_settles_and_refunds_all(system: System, ports: FakePorts) -> None:
    row = cancel(system.processing(num_outputs=2), ports)
    system.deliver_starts()

    row = system.hear(row, system.prediction(row))

    assert (row.state, row.credits_charged, row.credits_refunded) == (State.CANCELED, 0, 2)
    assert row.failure is None


def test_asking_again_changes_nothing(system: System, ports: FakePorts) -> None:
    row = cancel(system.processing(), ports)
    ports.commands.take_started()
    ports.clock.advance(timedelta(seconds=5))

    assert cancel(row, ports) == row
    assert not ports.commands.started


def test_reconcile_passes_the_cancel_on_when_no_message_arrives(system: System, ports: FakePorts) -> None:
    ports.commands.failure = Transient("the queue is away")
    row = system.processing()
    cancel(row, ports)
    ports.commands.failure = None

    system.reconcile()
    system.deliver_finishes()

    assert system.row(row).state is State.CANCELED


@pytest.mark.parametrize(
    "error",
    [
        ProviderTransient("no answer"),
        ProviderUnavailable("502"),
        ProviderThrottled("slow down", 1),
        ProviderNotFound("gone"),
        ProviderRejected("it has ended"),
    ],
)
def test_a_cancel_that_fails_at_the_provider_is_repeated_by_reconcile(
    system: System, ports: FakePorts, error: Exception
) -> None:
    row = cancel(system.processing(), ports)
    ports.provider.failures.append(error)
    system.deliver_starts()
    assert system.prediction(row).status is PredictionStatus.STARTING

    system.reconcile()
    system.deliver_finishes()

    assert system.row(row).state is State.CANCELED


def test_one_cancel_that_fails_does_not_keep_the_rest_of_the_batch_from_starting(
    system: System, ports: FakePorts
) -> None:
    stubborn = cancel(system.processing(ANA), ports)
    other = system.accept(BIA)
    ports.provider.failures.append(ProviderRejected("it has ended"))

    assert system.start(stubborn, other) == []

    assert system.row(other).state is State.PROCESSING


def test_what_succeeded_before_the_cancel_arrived_is_saved_and_charged(
    system: System, ports: FakePorts
) -> None:
    row = system.processing(num_outputs=2)
    done = ports.provider.succeed(system.prediction(row).id)
    cancel(row, ports)
    system.deliver_starts()

    row = system.hear(row, done)

    assert (row.state, row.credits_charged, len(row.outputs)) == (State.SUCCEEDED, 2, 2)


def test_a_failure_after_a_cancel_is_never_tried_again(system: System, ports: FakePorts) -> None:
    row = cancel(system.processing(), ports)

    row = system.hear(row, ports.provider.fail(system.prediction(row).id, "E8367"))

    assert (row.state, row.credits_refunded) == (State.CANCELED, 1)


def test_an_abort_after_a_cancel_is_the_cancel(system: System, ports: FakePorts) -> None:
    row = cancel(system.processing(), ports)

    assert system.hear(row, ports.provider.abort(system.prediction(row).id)).state is State.CANCELED


def test_unusable_images_after_a_cancel_end_it(system: System, ports: FakePorts) -> None:
    row = cancel(system.processing(), ports)
    done = ports.provider.succeed(system.prediction(row).id, ["https://replicate.delivery/gone.webp"])

    assert system.hear(row, done).state is State.CANCELED


# While the create is in flight


def test_a_cancel_during_the_create_is_sent_by_who_records_its_answer(
    system: System, ports: FakePorts
) -> None:
    row = system.accept()

    with meanwhile(ports, "FakeProvider.create_prediction", lambda: cancel(row, ports)):
        system.start(row)

    row = system.row(row)
    assert row.state is State.PROCESSING
    assert ports.provider.canceled == [row.prediction_id]
    assert system.hear(row, system.prediction(row)).state is State.CANCELED


def test_a_cancel_before_the_record_is_sent_too(system: System, ports: FakePorts) -> None:
    row = system.accept()

    with meanwhile(ports, "FakeChanges.commit", lambda: cancel(row, ports), nth=2):
        system.start(row)

    assert ports.provider.canceled == [system.row(row).prediction_id]


@pytest.mark.parametrize("refusal", [ProviderThrottled("slow down", 3), ProviderRejected("bad input")])
def test_a_create_that_was_refused_after_a_cancel_ends_the_job(
    system: System, ports: FakePorts, refusal: Exception
) -> None:
    row = system.accept()
    ports.provider.refuse(refusal)

    with meanwhile(ports, "FakeProvider.create_prediction", lambda: cancel(row, ports)):
        system.start(row)

    assert system.row(row).state is State.CANCELED
    assert system.account().held == 0


def test_a_cancel_of_a_create_whose_answer_was_lost_is_sent_by_who_adopts_it(
    system: System, ports: FakePorts
) -> None:
    row = cancel(system.starting(created=True), ports)

    system.hear(row, ports.provider.start(system.prediction(row).id))

    assert ports.provider.canceled == [system.row(row).prediction_id]


def test_a_cancel_of_a_create_that_nobody_knows_ends_with_its_lease(system: System, ports: FakePorts) -> None:
    row = cancel(system.starting(created=False), ports)
    system.reconcile()
    assert system.row(row).state is State.STARTING

    system.reconcile(after=timedelta(minutes=2))

    assert system.row(row).state is State.CANCELED


def test_a_cancel_does_not_put_the_end_of_the_lease_off(system: System, ports: FakePorts) -> None:
    row = system.starting(created=False)
    ports.clock.advance(timedelta(minutes=1))
    cancel(row, ports)

    system.reconcile()

    assert system.row(row).due_at == row.lease_until


# When it is too late


def test_what_is_being_saved_cannot_be_canceled(system: System, ports: FakePorts) -> None:
    row = system.saving()

    with pytest.raises(NotNow) as refused:
        cancel(row, ports)

    assert refused.value.code == "generation_saving"
    assert system.row(row) == row


def test_what_has_succeeded_cannot_be_canceled(system: System, ports: FakePorts) -> None:
    row = system.succeeded()

    with pytest.raises(NotNow) as refused:
        cancel(row, ports)

    assert refused.value.code == "generation_ended"
    assert refused.value.args_ == {"state": "succeeded"}


def test_what_has_failed_cannot_be_canceled(system: System, ports: FakePorts) -> None:
    row = system.processing()
    system.hear(row, ports.provider.fail(system.prediction(row).id, "NSFW content detected"))

    with pytest.raises(NotNow):
        cancel(row, ports)


def test_canceling_a_canceled_job_answers_with_it(system: System, ports: FakePorts) -> None:
    row = cancel(system.accept(), ports)

    assert cancel(row, ports) == row


def test_what_is_being_deleted_is_not_found(system: System, ports: FakePorts) -> None:
    row = system.succeeded()
    ports.objects.failure = Transient("the bucket is away")
    with pytest.raises(Transient):
        delete_generation(ref(row), ports=ports)

    with pytest.raises(NotFound):
        cancel(row, ports)


def test_others_jobs_are_not_found(system: System, ports: FakePorts) -> None:
    row = system.accept(ANA)

    with pytest.raises(NotFound):
        cancel_generation(Ref(BIA, row.id), ports=ports)

    assert system.row(row).state is State.QUEUED
