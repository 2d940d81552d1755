"""Dead letters go back as they were, once each, and whoever names a queue that has none is told so."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local import aws, state
from local.__main__ import main
from local.redrive import redrive
from local.state import State

REGION = "us-east-1"
DELIVERIES = 5


class Queues:
    """A queue with dead letters, another one, and dead letters that belong to no queue."""

    def __init__(self) -> None:
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.urls: dict[str, str] = {}
        for name in ("GenerationQueue", "GenerationWebhookQueue"):
            dead = self._create(f"{name}DeadLetters")
            policy = {"deadLetterTargetArn": self._arn(dead), "maxReceiveCount": DELIVERIES}
            self._create(name, RedrivePolicy=json.dumps(policy))
        self._create("ReconcileJobsDeadLetters")

    def bury(self, name: str, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(
                QueueUrl=self.urls[f"{name}DeadLetters"],
                MessageBody=body,
                MessageGroupId="ana",
                MessageAttributes={"why": {"DataType": "String", "StringValue": "x"}},
            )

    def letters(self, name: str) -> list[dict[str, Any]]:
        """Take out what is there."""
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(
            QueueUrl=self.urls[name],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            found += batch
        return found

    def bodies(self, name: str) -> list[str]:
        return sorted(letter["Body"] for letter in self.letters(name))

    def _create(self, name: str, **attributes: str) -> str:
        self.urls[name] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return self.urls[name]

    def _arn(self, url: str) -> str:
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        made = Queues()
        running = replace(STATE, queues=made.urls)
        monkeypatch.setattr(state, "read", lambda _: running)
        monkeypatch.setattr(aws, "client", lambda service, _: made.sqs)
        yield made


STATE = State(
    api_url="",
    api_host="",
    replicate_url="",
    aws_endpoint_url="",
    region=REGION,
    bucket="",
    tables={},
    queues={},
    functions={},
    webhook_secret=None,
    replicate_token=None,
    event_bus="",
    secrets={},
    stack="",
    issuer_url="",
    clock_offset_s=0,
    logs="",
    pid=0,
)


def run(queue: str | None = None) -> int:
    return redrive(argparse.Namespace(state_dir=Path(), queue=queue))


def test_all_go_back_as_they_were_and_are_counted(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = [f"message {n:02}" for n in range(23)]
    queues.bury("GenerationQueue", *bodies)

    assert run("GenerationQueue") == 0

    assert capsys.readouterr().out == "GenerationQueue: 23 messages moved back\n"
    assert queues.bodies("GenerationQueueDeadLetters") == []
    back = queues.letters("GenerationQueue")
    assert sorted(letter["Body"] for letter in back) == bodies
    assert {letter["Attributes"]["MessageGroupId"] for letter in back} == {"ana"}
    assert {letter["MessageAttributes"]["why"]["StringValue"] for letter in back} == {"x"}
    # Anew: as many deliveries as the first time.
    assert {letter["Attributes"]["ApproximateReceiveCount"] for letter in back} == {"1"}


def test_without_a_name_every_queue_gets_its_own_back(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.bury("GenerationWebhookQueue", "one")

    assert run() == 0

    assert capsys.readouterr().out.splitlines() == [
        "GenerationQueue: no dead letters to move",
        "GenerationWebhookQueue: 1 message moved back",
    ]
    assert queues.bodies("GenerationWebhookQueue") == ["one"]
    assert queues.bodies("GenerationQueue") == []


def test_another_queues_dead_letters_stay(queues: Queues) -> None:
    queues.bury("GenerationWebhookQueue", "one")

    run("GenerationQueue")

    assert queues.bodies("GenerationWebhookQueueDeadLetters") == ["one"]


@pytest.mark.parametrize("name", ["TrainingQueue", "ReconcileJobsDeadLetters", ""])
def test_a_queue_without_dead_letters_is_refused_by_naming_those_that_have_some(
    name: str, queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", name]) == 1

    said = capsys.readouterr().err
    assert said.endswith("there are those of: GenerationQueue, GenerationWebhookQueue\n")


def test_what_somebody_is_looking_at_is_told_and_stays(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.bury("GenerationQueue", "one")
    queues.letters("GenerationQueueDeadLetters")

    run("GenerationQueue")

    assert "no dead letters to move; somebody is looking at 1 more" in capsys.readouterr().out
    assert queues.bodies("GenerationQueue") == []


def test_what_the_queue_does_not_take_stays_and_is_told(
    queues: Queues, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.bury("GenerationQueue", "one", "two")
    send = queues.sqs.send_message_batch

    def takes_one(*, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803  # botocore's names
        answer = send(QueueUrl=QueueUrl, Entries=Entries[:1])
        return answer | {"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}

    monkeypatch.setattr(queues.sqs, "send_message_batch", takes_one)

    assert main(["redrive", "GenerationQueue"]) == 1

    assert "1 moved; then the queue did not take 1: InternalError" in capsys.readouterr().err
    assert len(queues.bodies("GenerationQueue")) == 1
    attributes = queues.sqs.get_queue_attributes(
        QueueUrl=queues.urls["GenerationQueueDeadLetters"],
        AttributeNames=["ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    assert attributes == {"ApproximateNumberOfMessagesNotVisible": "1"}
