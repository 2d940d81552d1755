from __future__ import annotations

import pytest

from revela.adapters.sqs import SqsCommands
from revela.domain.errors import Transient
from revela.domain.job import State
from revela.domain.training import Training
from revela.settings import Queues
from start_training.handler import handler
from tests.unit.functions.worker import TRAINING, WorkerPorts, deliver, message_ids, sample, samples
from tests.unit.usecases.money import assert_sound
from tests.unit.usecases.training_system import TrainingSystem

START_TIMEOUT_S = 180
QUEUED, POISON = (f"start_training/{name}" for name in ("queued", "poison"))


@pytest.fixture(autouse=True)
def accepted(workers: WorkerPorts) -> None:
    """The samples' training, queued."""
    TrainingSystem(workers).train()
    workers.commands.take_started()


def training(workers: WorkerPorts) -> Training:
    return workers.store.trainings[TRAINING]


def test_a_queued_training_is_created_at_the_provider(workers: WorkerPorts) -> None:
    assert deliver(handler, sample(QUEUED), remaining_s=START_TIMEOUT_S) == []

    row = training(workers)
    assert row.state is State.PROCESSING
    assert row.prediction_id in workers.provider.trainings


def test_what_cannot_be_read_goes_to_the_dead_letters(workers: WorkerPorts) -> None:
    event = sample(POISON)

    assert deliver(handler, event, remaining_s=START_TIMEOUT_S) == message_ids(event)

    assert training(workers).state is State.QUEUED


def test_a_training_that_fails_for_now_comes_again(workers: WorkerPorts) -> None:
    def refuse(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Transient("the table is away")

    workers.calls.before = refuse

    event = sample(QUEUED)
    assert deliver(handler, event, remaining_s=START_TIMEOUT_S) == message_ids(event)


def test_the_functions_own_end_bounds_what_it_begins(workers: WorkerPorts) -> None:
    assert deliver(handler, sample(QUEUED), remaining_s=90) == []

    assert training(workers).state is State.QUEUED
    assert not workers.provider.trainings


@pytest.mark.parametrize("name", samples("start_training"))
def test_a_second_delivery_of_any_sample_changes_nothing(workers: WorkerPorts, name: str) -> None:
    deliver(handler, sample(name), remaining_s=START_TIMEOUT_S)
    once = training(workers)

    deliver(handler, sample(name), remaining_s=START_TIMEOUT_S)

    assert training(workers) == once
    assert len(workers.provider.trainings) <= 1
    assert_sound(workers)


def test_the_sample_is_the_message_as_it_is_sent() -> None:
    sent: list[dict[str, str]] = []

    class Client:
        def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, str]:  # noqa: N803  # AWS' own
            assert QueueUrl == "trainings"
            sent.extend(Entries)
            return {}

    SqsCommands(Client(), Queues(training="trainings")).start([TRAINING])  # type: ignore[arg-type]  # all it asks

    (record,) = sample(QUEUED)["Records"]
    assert record["body"] == sent[0]["MessageBody"]
    assert record["attributes"]["MessageGroupId"] == sent[0]["MessageGroupId"]
