from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from revela import settings
from revela.adapters.sqs import SqsCommands
from revela.domain.errors import Transient
from revela.domain.prediction import Prediction, PredictionStatus
from revela.ports import Commands, ProviderReport, Ref
from tests.contract.aws import REGION, aws
from tests.contract.wire import raising, refused, wire
from tests.fakes import FakeCommands

SUCCEEDED = Prediction(
    id="p1",
    status=PredictionStatus.SUCCEEDED,
    output=("https://replicate.delivery/p1/out-0.webp", "https://replicate.delivery/p1/out-1.webp"),
    predict_time_s=2.5,
    created_at=datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC),
    started_at=datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC),
    completed_at=datetime(2026, 3, 2, 12, 0, 4, tzinfo=UTC),
    input={"prompt": "a lighthouse"},
    version="black-forest-labs/flux-dev",
)
FINISH = ProviderReport(Ref("ana", "gen_1"), 2, SUCCEEDED)
# As `settings.Queues` has them.
NAMES = ("start", "finish", "start_training", "finish_training", "check")
TRAINED = Prediction(
    id="t1",
    status=PredictionStatus.SUCCEEDED,
    trained_version=f"acme/revela-flux-lora:{'0' * 64}",
    weights_url="https://replicate.delivery/t1/trained_model.tar",
    input={"input_images": "https://api.replicate.com/v1/files/f1", "trigger_word": "REVK"},
    logs="x" * 1_000_000,
)
TRAINING = Ref("ana", "mdl_1#trn_1")
REFS = [Ref("ana" if n % 2 else "bia", f"gen_{n:02}") for n in range(25)]


class Queues:
    """Reads what was sent, as workers will."""

    def __init__(self, commands: Commands, client: Any, urls: dict[str, str]) -> None:
        self.commands = commands
        self._client = client
        self._urls = urls

    def received(self, queue: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while True:
            answer = self._client.receive_message(
                QueueUrl=self._urls[queue], MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"]
            )
            if "Messages" not in answer:
                return messages
            messages += answer["Messages"]


@pytest.fixture
def queues() -> Iterator[Queues]:
    with aws():
        client = boto3.client("sqs", region_name=REGION)
        urls = {name: client.create_queue(QueueName=name)["QueueUrl"] for name in NAMES}
        commands = SqsCommands(client, settings.Queues(*(urls[name] for name in NAMES)))
        yield Queues(commands, client, urls)


def test_every_start_is_sent_once_and_names_its_job(queues: Queues) -> None:
    queues.commands.start(iter(REFS))

    bodies = [json.loads(message["Body"]) for message in queues.received("start")]
    assert sorted(bodies, key=lambda body: body["id"]) == [{"user_id": r.user_id, "id": r.id} for r in REFS]


def test_each_kind_of_job_goes_to_the_worker_of_its_kind(queues: Queues) -> None:
    queues.commands.start([REFS[0], TRAINING])
    queues.commands.finish([ProviderReport(TRAINING, 1, TRAINED), FINISH])
    queues.commands.check([Ref("ana", "mdl_1#pho_1")])

    ids = {name: [json.loads(m["Body"])["id"] for m in queues.received(name)] for name in NAMES}
    assert ids == {
        "start": [REFS[0].id],
        "finish": [FINISH.ref.id],
        "start_training": [TRAINING.id],
        "finish_training": [TRAINING.id],
        "check": ["mdl_1#pho_1"],
    }


def test_what_a_training_made_is_said_without_its_log_and_its_photos(queues: Queues) -> None:
    queues.commands.finish([ProviderReport(TRAINING, 2, TRAINED)])

    (message,) = queues.received("finish_training")
    body = json.loads(message["Body"])
    assert len(message["Body"]) < 1_000
    assert (body["id"], body["attempt"]) == (TRAINING.id, 2)
    read = Prediction.model_validate(body["prediction"])
    assert read == TRAINED.model_copy(update={"input": None, "logs": None})


def test_nothing_to_send_is_no_call() -> None:
    with aws(), wire() as between:
        client = boto3.client("sqs", region_name=REGION)
        SqsCommands(client, settings.Queues("s", "f")).start([])
        assert between.calls == []


def test_messages_are_grouped_by_user(queues: Queues) -> None:
    queues.commands.start(REFS)

    for message in queues.received("start"):
        assert message["Attributes"]["MessageGroupId"] == json.loads(message["Body"])["user_id"]


@pytest.mark.parametrize("user_id", ["ana maria", "José", "x" * 129], ids=["blank", "accent", "long"])
def test_a_user_id_that_cannot_be_a_group_still_has_one_of_its_own(queues: Queues, user_id: str) -> None:
    queues.commands.start([Ref(user_id, "gen_1"), Ref("bia", "gen_2")])

    groups = {m["Attributes"]["MessageGroupId"] for m in queues.received("start")}
    assert len(groups) == 2
    assert all(len(group) <= 128 for group in groups)


def test_a_finish_says_what_the_provider_said_and_nothing_of_the_prompt(queues: Queues) -> None:
    queues.commands.finish([FINISH])

    (message,) = queues.received("finish")
    assert json.loads(message["Body"]) == {
        "user_id": "ana",
        "id": "gen_1",
        "attempt": 2,
        "prediction": {
            "id": "p1",
            "status": "succeeded",
            "output": [
                "https://replicate.delivery/p1/out-0.webp",
                "https://replicate.delivery/p1/out-1.webp",
            ],
            "error": None,
            "data_removed": False,
            "predict_time_s": 2.5,
            "created_at": "2026-03-02T12:00:00.123456Z",
            "started_at": "2026-03-02T12:00:01Z",
            "completed_at": "2026-03-02T12:00:04Z",
        },
    }


def test_a_finish_is_read_as_it_was_meant(queues: Queues) -> None:
    queues.commands.finish([FINISH])

    (message,) = queues.received("finish")
    read = Prediction.model_validate(json.loads(message["Body"])["prediction"])
    assert read == SUCCEEDED.model_copy(update={"input": None, "version": None})


def test_a_message_stays_small_whatever_the_provider_says(queues: Queues) -> None:
    failed = Prediction(id="p1", status=PredictionStatus.FAILED, error="✗" * 10**6, output=("u",) * 100)
    queues.commands.finish([ProviderReport(Ref("ana", "gen_1"), 1, failed)])

    (message,) = queues.received("finish")
    assert len(message["Body"]) < 20_000


def test_what_the_queue_did_not_take_is_sent_again(queues: Queues) -> None:
    with wire() as between:

        def half(_: Any) -> Any:
            # The queue takes the even ones for lost.
            entries = between.calls[-1][1]["Entries"]
            return {"Failed": [{"Id": e["Id"], "Code": "InternalError"} for e in entries[::2]]}

        between.break_next("SendMessageBatch", half)
        queues.commands.start(REFS[:4])

        again = between.calls[1][1]["Entries"]
    assert [json.loads(entry["MessageBody"])["id"] for entry in again] == ["gen_00", "gen_02"]


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: {"Failed": [{"Id": "0", "Code": "InternalError"}]},
        refused("AWS.SimpleQueueService.NonExistentQueue"),
        raising(EndpointConnectionError(endpoint_url="https://sqs.test")),
    ],
    ids=["partly", "refused", "away"],
)
def test_what_cannot_be_sent_is_transient(queues: Queues, fault: Any) -> None:
    with wire() as between:
        between.break_next("SendMessageBatch", *[fault] * 10)
        with pytest.raises(Transient, match="SQS"):
            queues.commands.start(REFS[:1])
        assert len(between.calls) <= 3


def test_the_fake_fails_as_a_queue_does() -> None:
    fake = FakeCommands()
    fake.failure = Transient("SQS: away")
    commands: Commands = fake

    with pytest.raises(Transient):
        commands.start(REFS)
    assert fake.take_started() == []
    fake.failure = None
    commands.start(iter(REFS))
    commands.finish([FINISH])
    assert (fake.take_started(), fake.take_finished()) == (REFS, [FINISH])
    assert (fake.take_started(), fake.take_finished()) == ([], [])
