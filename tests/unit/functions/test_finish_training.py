from __future__ import annotations

import pytest

from finish_training.handler import handler
from revela.domain.errors import ProviderTransient, Transient
from revela.domain.job import State
from revela.domain.training import Training
from revela.usecases.cancel_training import cancel_training
from tests.unit.functions.worker import (
    MODEL,
    TRAINING,
    WorkerPorts,
    deliver,
    message_ids,
    sample,
    samples,
)
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.training_system import TrainingSystem

FINISH_TIMEOUT_S = 300
PREDICTION_ID = "zvr4h9q2ndrma0cs8k1b6x3pwy"


@pytest.fixture(autouse=True)
def unanswered(workers: WorkerPorts) -> None:
    """The samples' training: its create was not answered."""
    system = TrainingSystem(workers)
    workers.provider.refuse(ProviderTransient("connection reset"))
    system.begin(system.train())


def training(workers: WorkerPorts) -> Training:
    return workers.store.trainings[TRAINING]


def hear(name: str) -> list[str]:
    return deliver(handler, sample(f"finish_training/{name}"), remaining_s=FINISH_TIMEOUT_S)


@pytest.mark.parametrize("name", ["starting", "processing"])
def test_a_training_that_runs_is_adopted(workers: WorkerPorts, name: str) -> None:
    assert hear(name) == []

    assert (training(workers).state, training(workers).prediction_id) == (State.PROCESSING, PREDICTION_ID)


def test_success_adds_a_version_to_the_model_and_is_charged(workers: WorkerPorts) -> None:
    hear("starting")

    assert hear("succeeded") == []

    row = training(workers)
    assert (row.state, row.credits_charged, row.predict_time_s) == (
        State.SUCCEEDED,
        row.credits_held,
        1236.667,
    )
    chosen = workers.store.models[MODEL.user_id, MODEL.id].chosen
    assert chosen is not None
    assert (chosen.id, chosen.provider_version) == (row.training_id, row.trained_version)


def test_a_failure_is_recorded_and_refunded(workers: WorkerPorts) -> None:
    assert hear("failed") == []

    row = training(workers)
    assert (row.state, row.credits_refunded) == (State.FAILED, row.credits_held)
    assert row.failure is not None
    assert row.failure.code == "out_of_memory"


def test_canceled_as_asked_is_canceled(workers: WorkerPorts) -> None:
    hear("processing")
    cancel_training(TRAINING, ports=workers)

    assert hear("canceled") == []

    assert training(workers).state is State.CANCELED


def test_aborted_is_tried_again(workers: WorkerPorts) -> None:
    assert hear("aborted") == []

    assert (training(workers).state, training(workers).failures) == (State.QUEUED, 1)


def test_what_cannot_be_read_goes_to_the_dead_letters(workers: WorkerPorts) -> None:
    assert hear("poison") == message_ids(sample("finish_training/poison"))

    assert training(workers).state is State.STARTING


def test_what_fails_for_now_comes_again(workers: WorkerPorts) -> None:
    def refuse(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Transient("the table is away")

    workers.calls.before = refuse

    assert hear("succeeded") == message_ids(sample("finish_training/succeeded"))


@pytest.mark.parametrize("name", samples("finish_training"))
def test_a_second_delivery_of_any_sample_changes_nothing(workers: WorkerPorts, name: str) -> None:
    deliver(handler, sample(name), remaining_s=FINISH_TIMEOUT_S)
    once = training(workers)

    deliver(handler, sample(name), remaining_s=FINISH_TIMEOUT_S)

    assert training(workers) == once
    assert_sound(workers)


@pytest.mark.parametrize("name", samples("finish_training"))
def test_the_samples_name_their_user_as_group(name: str) -> None:
    for record in sample(name)["Records"]:
        assert record["attributes"]["MessageGroupId"] == TRAINING.user_id
