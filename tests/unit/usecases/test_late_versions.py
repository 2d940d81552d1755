"""A training that succeeds after its row has ended: its version is nobody's, and a face all the same."""

from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import ProviderRejected, ProviderTransient, Transient
from revela.domain.job import State
from revela.domain.training import Training
from revela.ports import ProviderReport
from revela.usecases.finish_training import finish_training
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import ModelLife, job
from tests.unit.usecases.system import ANA, FINISH_TIMEOUT, System


@pytest.fixture
def life(ports: FakePorts, system: System) -> ModelLife:
    system.subscribe(ANA, plan="studio", amount=2000)
    return ModelLife(ports)


@pytest.fixture
def given_up(life: ModelLife, system: System, ports: FakePorts) -> Training:
    """A training that failed at its deadline, because the provider did not obey our cancel."""
    ports.provider.obeys_cancel = False
    training = life.start_training(life.accept_training(life.with_photos()))
    assert training.deadline_at is not None
    ports.clock.advance(training.deadline_at - ports.clock.now() + timedelta(minutes=1))
    for _ in range(20):
        system.reconcile(after=timedelta(minutes=2))
        life.deliver()
    ended = ports.store.trainings[job(training)]
    assert ended.state is State.FAILED
    return ended


def hear_of_success(life: ModelLife, row: Training) -> str | None:
    ports = life.ports
    assert row.prediction_id is not None
    done = ports.provider.trainings[row.prediction_id]
    if not done.status.terminal:
        done = ports.provider.succeed(row.prediction_id)
    until = ports.clock.now() + 2 * FINISH_TIMEOUT
    finish_training(ProviderReport(job(row), row.attempt, done), ports=ports, until=until)
    return done.trained_version


def test_a_version_that_came_too_late_is_deleted(
    life: ModelLife, given_up: Training, ports: FakePorts
) -> None:
    version = hear_of_success(life, given_up)

    assert ports.provider.deleted_versions == [version]
    assert ports.store.trainings[job(given_up)] == given_up


def test_of_a_training_whose_row_is_gone_the_version_goes_too(
    life: ModelLife, given_up: Training, ports: FakePorts
) -> None:
    ports.trainings.remove(given_up)

    assert ports.provider.deleted_versions == []
    assert [hear_of_success(life, given_up)] == ports.provider.deleted_versions


def test_a_version_that_is_recorded_stays_however_often_it_is_told_of(
    life: ModelLife, ports: FakePorts
) -> None:
    training = life.train(life.with_photos())

    hear_of_success(life, training)

    assert ports.provider.deleted_versions == []


def test_while_the_provider_is_away_the_message_is_delivered_again(
    life: ModelLife, given_up: Training, ports: FakePorts
) -> None:
    ports.provider.failures.append(ProviderTransient("503"))
    with pytest.raises(Transient):
        hear_of_success(life, given_up)

    assert [hear_of_success(life, given_up)] == ports.provider.deleted_versions


def test_a_version_that_the_provider_keeps_is_told_of(
    life: ModelLife, given_up: Training, ports: FakePorts
) -> None:
    ports.provider.failures.append(ProviderRejected("in use"))

    hear_of_success(life, given_up)

    assert "version_not_deleted" in ports.telemetry.events("warning")
