from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from revela.domain.errors import OutputUnusable, ProviderTransient, Transient
from revela.domain.job import State
from revela.domain.personal_model import ModelState
from revela.domain.policy import TRAINING_SAVING_LEASE
from revela.usecases.delete_model import delete_model
from revela.usecases.finish_training import SAVING_TRIES
from tests.fakes import FakePorts
from tests.unit.usecases.model_life import job, of
from tests.unit.usecases.system import ANA
from tests.unit.usecases.training_system import TrainingSystem
from tests.unit.usecases.trouble import dies_after, dies_before, meanwhile

Dies = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def copies_weights(ports: FakePorts) -> None:
    ports.policies = replace(ports.policies, copies_weights=True)


def test_a_version_is_the_models_and_charged_whole(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    assert trainings.own_model().state is ModelState.DRAFT

    row = trainings.report(row, trainings.done(row))

    model = trainings.own_model()
    assert (row.state, row.credits_charged, row.progress_percent) == (State.SUCCEEDED, row.credits_held, 100)
    assert model.state is ModelState.READY
    assert model.chosen is not None
    assert model.chosen.id == row.training_id
    assert model.chosen.provider_version == row.trained_version
    assert (model.chosen.trainer, model.chosen.fine_tune) == (row.trainer, row.fine_tune)
    assert model.chosen.weights_key is None
    assert not trainings.kept_uploads()
    assert ports.telemetry.counts["TrainingsSucceeded"] == 1


def test_a_second_delivery_changes_nothing(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    done = trainings.done(row)
    row = trainings.report(row, done)
    model, account = trainings.own_model(), trainings.account()

    assert trainings.report(row, done) == row
    assert (trainings.own_model(), trainings.account()) == (model, account)


def test_a_retraining_adds_a_version_and_chooses_it(trainings: TrainingSystem) -> None:
    rows = []
    for _ in range(2):
        row = trainings.running()
        rows.append(trainings.report(row, trainings.done(row)))

    model = trainings.own_model()
    assert [v.id for v in model.versions] == [row.training_id for row in rows]
    assert model.chosen_version == rows[1].training_id


def test_a_failed_retraining_leaves_the_model_as_it_was(trainings: TrainingSystem, ports: FakePorts) -> None:
    first = trainings.running()
    trainings.report(first, trainings.done(first))
    model = trainings.own_model()
    again = trainings.running()

    failed = ports.provider.fail(trainings.newest(again).id, "CUDA out of memory")
    again = trainings.report(again, failed)

    assert again.state is State.FAILED
    assert trainings.own_model() == model


def test_a_trainer_that_left_the_catalog_meanwhile_does_not_keep_the_version(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    others = tuple(t for t in ports.catalog.trainers if t.id != row.trainer)
    ports.catalog = ports.catalog.model_copy(update={"trainers": others})

    row = trainings.report(row, trainings.done(row))

    assert row.state is State.SUCCEEDED
    assert row.provider_cost_micro_usd == 0


def test_what_the_provider_bills_is_counted(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()

    row = trainings.report(row, trainings.done(row))

    cost = ports.catalog.trainer(row.trainer).provider_cost
    assert row.provider_cost_micro_usd == cost.micro_usd(images=0, predict_time_s=1200.0) > 0


@pytest.mark.usefixtures("copies_weights")
def test_weights_are_copied_when_they_are_to_be_kept(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()

    row = trainings.report(row, trainings.done(row))

    assert row.weights_key == f"{row.weights_prefix}trained_model.tar"
    assert ports.objects.stored[row.weights_key].data == f"weights of {row.prediction_id}".encode()
    chosen = trainings.own_model().chosen
    assert chosen is not None
    assert chosen.weights_key == row.weights_key


@pytest.mark.usefixtures("copies_weights")
@pytest.mark.parametrize("reason", ["gone", "too_large"])
def test_weights_that_cannot_be_had_do_not_cost_the_version(
    trainings: TrainingSystem, ports: FakePorts, reason: str
) -> None:
    row = trainings.running()
    done = trainings.done(row)
    assert done.weights_url is not None
    ports.outputs.files[done.weights_url] = OutputUnusable(reason)

    row = trainings.report(row, done)

    assert (row.state, row.weights_key) == (State.SUCCEEDED, None)
    assert row.credits_charged == row.credits_held


@pytest.mark.usefixtures("copies_weights")
def test_weights_that_cannot_be_copied_now_are_copied_later(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    ports.objects.failure = Transient("S3")

    row = trainings.report(row, trainings.done(row))
    assert (row.state, row.lease_until, row.save_failures) == (State.SAVING, None, 1)

    ports.objects.failure = None
    row = trainings.when_due(row)
    assert row.state is State.SUCCEEDED
    assert row.weights_key in ports.objects.stored


@pytest.mark.usefixtures("copies_weights")
def test_weights_that_can_never_be_copied_do_not_keep_the_hold_for_ever(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    done = trainings.done(row)
    assert done.weights_url is not None
    ports.outputs.files[done.weights_url] = ProviderTransient("502")

    row = trainings.report(row, done)
    for _ in range(SAVING_TRIES):
        assert row.state is State.SAVING
        row = trainings.when_due(row)

    assert (row.state, row.weights_key) == (State.SUCCEEDED, None)


@pytest.mark.usefixtures("copies_weights")
def test_weights_that_kill_whoever_copies_them_are_given_up(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()
    done = trainings.done(row)

    for _ in range(SAVING_TRIES):
        with dies_before(ports, "FakeObjects.put_file"):
            trainings.report(row, done)
        ports.clock.advance(TRAINING_SAVING_LEASE)
    row = trainings.report(row, done)

    assert (row.state, row.weights_key) == (State.SUCCEEDED, None)


def test_with_too_little_time_left_another_process_settles(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()

    row = trainings.report(row, trainings.done(row), time_left=timedelta(seconds=1))
    assert row.state is State.SAVING

    assert trainings.when_due(row).state is State.SUCCEEDED


def test_who_holds_the_lease_is_left_alone(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    done = trainings.done(row)
    with dies_before(ports, "FakeModels.get"):
        trainings.report(row, done)
    row = trainings.now(row)
    assert row.state is State.SAVING

    assert trainings.report(row, done) == row


@pytest.mark.usefixtures("copies_weights")
@pytest.mark.parametrize("dies", [dies_before, dies_after])
@pytest.mark.parametrize(
    ("call", "nth"),
    [
        ("FakeChanges.commit", 1),
        ("FakeOutputs.download", 1),
        ("FakeObjects.put_file", 1),
        ("FakeModels.get", 1),
        ("FakeChanges.commit", 2),
        ("FakeProvider.delete_file", 1),
    ],
)
def test_a_process_that_dies_anywhere_charges_once_and_adds_one_version(
    trainings: TrainingSystem, ports: FakePorts, dies: Dies, call: str, nth: int
) -> None:
    row = trainings.running()
    done = trainings.done(row)

    with dies(ports, call, nth=nth):
        trainings.report(row, done)
    for _ in range(4):
        if trainings.now(row).state is State.SUCCEEDED:
            break
        trainings.when_due(row)

    assert trainings.now(row).state is State.SUCCEEDED
    assert len(trainings.own_model().versions) == 1
    assert trainings.account().spent == row.credits_held


def test_a_model_that_is_renamed_meanwhile_gets_its_version_all_the_same(
    trainings: TrainingSystem, ports: FakePorts
) -> None:
    row = trainings.running()

    def rename() -> None:
        model = trainings.own_model()
        ports.store.models[model.user_id, model.id] = model.changed(ports.clock.now(), name="Anna")

    with meanwhile(ports, "FakeChanges.commit", rename, nth=2):
        row = trainings.report(row, trainings.done(row))

    assert row.state is State.SUCCEEDED
    assert (trainings.own_model().name, len(trainings.own_model().versions)) == ("Anna", 1)


@pytest.mark.parametrize("nth", [1, 2])
def test_a_model_that_is_deleted_meanwhile_charges_nothing_and_keeps_nothing(
    trainings: TrainingSystem, ports: FakePorts, nth: int
) -> None:
    row = trainings.running()
    done = trainings.done(row)

    with meanwhile(
        ports, "FakeChanges.commit", lambda: delete_model(of(trainings.model), ports=ports), nth=nth
    ):
        row = trainings.report(row, done)

    assert (row.state, row.credits_charged) == (State.CANCELED, 0)
    trainings.reconcile()
    assert ports.provider.deleted_versions == [done.trained_version]
    assert (ANA, trainings.model.id) not in ports.store.models
    assert job(row) not in ports.store.trainings


def test_a_success_without_a_version_is_tried_once_more(trainings: TrainingSystem, ports: FakePorts) -> None:
    row = trainings.running()
    for _ in range(2):
        empty = trainings.done(row).model_copy(update={"trained_version": None})
        ports.provider.trainings[empty.id] = empty
        row = trainings.report(row, empty)
        if row.state is State.QUEUED:
            row = trainings.when_due(row)

    assert row.failure is not None
    assert (row.state, row.failure.code, row.failures) == (State.FAILED, "version_lost", 1)
    assert not trainings.kept_uploads()
