from __future__ import annotations

import json
from typing import Any

import pytest

from revela.adapters.sqs import SqsCommands
from revela.domain.errors import Transient
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.settings import Queues
from start_generation.handler import handler
from tests.unit.functions.worker import JOB, WorkerPorts, deliver, message_ids, sample, samples
from tests.unit.usecases.system import System, ref

QUEUED, DUPLICATE, POISON = (f"start_generation/{name}" for name in ("queued", "duplicate", "poison"))


def test_a_queued_job_becomes_a_prediction(workers: WorkerPorts) -> None:
    workers.accept()

    assert deliver(handler, sample(QUEUED)) == []

    assert workers.job.state is State.PROCESSING
    assert workers.job.prediction_id in workers.provider.predictions


def test_a_job_named_twice_in_one_batch_is_created_once(workers: WorkerPorts) -> None:
    workers.accept()

    assert deliver(handler, sample(DUPLICATE)) == []

    assert len(workers.provider.requests) == 1
    assert workers.calls.names.count("FakePace.reserve_creates") == 1


def test_what_cannot_be_read_goes_to_the_dead_letters_and_holds_up_no_other(workers: WorkerPorts) -> None:
    workers.accept()
    event = sample(POISON)

    assert deliver(handler, event) == message_ids(event)[1:]

    assert workers.job.state is State.PROCESSING


def test_a_job_that_cannot_even_be_tried_goes_to_the_dead_letters_and_holds_up_no_other(
    workers: WorkerPorts,
) -> None:
    system = System(workers)
    before, broken, after = (system.accept(user) for user in ("ana", "bia", "caio"))
    stored = workers.store.generations
    # A size that its model makes no more.
    stored[ref(broken)] = broken.model_copy(update={"params": broken.params | {"width": 1_000}})
    event = batch(before, broken, after)

    for _ in range(5):
        assert deliver(handler, event) == [broken.id]

    assert {system.row(row).state for row in (before, after)} == {State.PROCESSING}
    assert system.row(broken).state is State.QUEUED
    assert len(workers.provider.requests) == 2


def batch(*rows: Generation) -> dict[str, Any]:
    """Return one event with a message for each row, whose message id is the row's."""
    (record,) = sample(QUEUED)["Records"]
    bodies = {row.id: json.dumps({"user_id": row.user_id, "id": row.id}) for row in rows}
    return {"Records": [record | {"messageId": id_, "body": body} for id_, body in bodies.items()]}


def test_both_messages_of_a_job_that_failed_for_now_come_again(workers: WorkerPorts) -> None:
    workers.accept()

    def refuse(name: str) -> None:
        if name == "FakeChanges.commit":
            raise Transient("the table is away")

    workers.calls.before = refuse
    event = sample(DUPLICATE)

    assert deliver(handler, event) == message_ids(event)


def test_a_job_that_is_gone_is_acknowledged(workers: WorkerPorts) -> None:
    assert deliver(handler, sample(QUEUED)) == []

    assert not workers.provider.requests


def test_the_functions_own_end_bounds_what_it_begins(workers: WorkerPorts) -> None:
    workers.accept()

    assert deliver(handler, sample(QUEUED), remaining_s=39) == []

    assert workers.job.state is State.QUEUED
    assert workers.job.not_before == workers.clock.now()
    assert not workers.provider.requests


@pytest.mark.parametrize("name", samples("start_generation"))
def test_a_second_delivery_of_any_sample_changes_nothing(workers: WorkerPorts, name: str) -> None:
    workers.accept()
    deliver(handler, sample(name))
    once = workers.job

    deliver(handler, sample(name))

    assert workers.job == once
    assert len(workers.provider.requests) == 1


def test_the_sample_is_the_message_as_it_is_sent() -> None:
    class Client:
        sent: list[Any]

        def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803  # AWS' own
            self.sent = Entries
            return {}

    client = Client()
    commands = SqsCommands(client, Queues("q", "w"))  # type: ignore[arg-type]  # all it asks

    commands.start([JOB])

    (record,) = sample(QUEUED)["Records"]
    assert record["body"] == client.sent[0]["MessageBody"]
    assert record["attributes"]["MessageGroupId"] == client.sent[0]["MessageGroupId"]
    assert json.loads(record["body"]) == {"user_id": JOB.user_id, "id": JOB.id}
