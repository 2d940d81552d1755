from __future__ import annotations

import pytest

from revela.domain.errors import NotFound, NotNow, ProviderTransient
from revela.domain.job import State
from revela.domain.policy import CANCEL_DUE
from revela.ports import Ref
from revela.usecases.cancel_training import cancel_training
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import job
from tests.unit.usecases.system import BIA
from tests.unit.usecases.training_system import TrainingSystem
from tests.unit.usecases.trouble import meanwhile


def test_a_queued_training_ends_at_once_and_gives_everything_back(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.cancel(trainings.train())

    assert (row.state, row.credits_charged, row.credits_refunded) == (State.CANCELED, 0, row.credits_held)
    assert trainings.account().held == 0
    assert trainings.begin(row) == row
    assert not ports.provider.trainings


def test_a_running_training_is_canceled_at_the_provider(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.cancel(trainings.running())
    assert (row.state, row.due_at) == (State.PROCESSING, ports.clock.now())

    trainings.deliver_training_starts()
    assert ports.provider.canceled == [row.prediction_id]

    row = trainings.report(row, trainings.newest(row))
    assert (row.state, row.credits_charged) == (State.CANCELED, 0)
    assert not trainings.kept_uploads()


def test_beyond_the_days_free_cancels_what_ran_is_paid(trainings: TrainingSystem, ports: FakePorts) -> None:
    trainings.subscribe(plan="essential", amount=1)
    free = ports.catalog.plan("essential").free_cancels_per_day
    for n in range(free + 1):
        row = trainings.running()
        ports.provider.start(trainings.newest(row).id)
        trainings.cancel(row)
        trainings.deliver_training_starts()
        row = trainings.report(row, trainings.newest(row))
        assert row.credits_charged == (0 if n < free else row.credits_held), n


def test_what_was_finished_before_the_cancel_came_is_kept_and_paid(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    done = trainings.done(row)
    trainings.cancel(row)

    row = trainings.report(row, done)

    assert (row.state, row.credits_charged) == (State.SUCCEEDED, row.credits_held)


def test_what_fails_after_the_cancel_is_not_tried_again(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.cancel(trainings.running())

    row = trainings.report(row, ports.provider.fail(trainings.newest(row).id))

    assert (row.state, row.credits_charged) == (State.CANCELED, 0)


def test_asking_again_changes_nothing(trainings: TrainingSystem) -> None:
    row = trainings.cancel(trainings.running())

    assert trainings.cancel(row) == row


@pytest.mark.parametrize("created", [True, False])
def test_a_training_whose_create_was_not_answered_is_canceled_when_that_is_known(
    trainings: TrainingSystem, ports: FakePorts, created: bool
) -> None:
    row = trainings.cancel(trainings.unanswered(created=created))
    assert row.state is State.STARTING

    for _ in range(6):
        if trainings.now(row).state is State.CANCELED:
            break
        trainings.when_due(row)

    row = trainings.now(row)
    assert (row.state, row.credits_charged) == (State.CANCELED, 0)
    assert len(ports.provider.canceled) == created


def test_a_cancel_the_provider_did_not_hear_is_repeated(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.cancel(trainings.running())
    ports.provider.failures.append(ProviderTransient("502"))
    trainings.deliver_training_starts()
    assert not ports.provider.canceled

    trainings.when_due(row)
    if trainings.now(row).state is State.PROCESSING:
        ports.clock.advance(CANCEL_DUE)
        trainings.when_due(row)

    assert trainings.now(row).state is State.CANCELED


def test_what_is_being_recorded_or_has_ended_is_too_late(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    done = trainings.done(row)

    def too_late() -> None:
        with pytest.raises(NotNow) as refused:
            trainings.cancel(row)
        assert refused.value.code == "training_saving"

    with meanwhile(ports, "FakeModels.get", too_late):
        trainings.report(row, done)

    with pytest.raises(NotNow) as refused:
        trainings.cancel(row)
    assert (refused.value.code, refused.value.args_) == ("training_ended", {"state": "succeeded"})


def test_another_users_training_is_not_there(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.train()

    with pytest.raises(NotFound):
        cancel_training(Ref(BIA, job(row).id), ports=ports)
