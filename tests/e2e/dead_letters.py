"""A queue, its trigger and its dead letters, as an operator of the running system handles them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local import aws
from local.state import State


@dataclass(frozen=True)
class Letter:
    """`deliveries`: how often it was received before it was looked at here."""

    message_id: str
    body: str
    deliveries: int


class Queue:
    """By its logical id in template.yaml."""

    def __init__(self, current: State, name: str) -> None:
        self._sqs = aws.client("sqs", current.aws_endpoint_url)
        self._lambdas = aws.client("lambda", current.aws_endpoint_url)
        self._url = current.queues[name]
        self._dead_letters_url = current.queues[f"{name}DeadLetters"]

    def send(self, body: str) -> str:
        """Return the message's id."""
        sent = self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageGroupId="anybody")
        return str(sent["MessageId"])

    def undone(self) -> int:
        """Return how many messages wait, or are being worked on, or will come again."""
        in_sight, in_hand = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
        return sum(map(int, self._attributes(self._url, in_sight, in_hand).values()))

    def buried(self) -> int:
        name = "ApproximateNumberOfMessages"
        return int(self._attributes(self._dead_letters_url, name)[name])

    def letters(self) -> list[Letter]:
        """Look at the dead letters, at most ten, without taking them; each look counts as a delivery."""
        answer = self._sqs.receive_message(
            QueueUrl=self._dead_letters_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Letter(
                letter["MessageId"],
                letter["Body"],
                int(letter["Attributes"]["ApproximateReceiveCount"]) - 1,
            )
            for letter in answer.get("Messages", [])
        ]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing be delivered meanwhile."""
        self._deliver(enabled=False)
        try:
            yield
        finally:
            self._deliver(enabled=True)

    @contextmanager
    def impatient(self, visibility_s: int) -> Iterator[None]:
        """Deliver what failed again after `visibility_s` instead of minutes."""
        usual = self._attributes(self._url, "VisibilityTimeout")["VisibilityTimeout"]
        self._set_visibility(str(visibility_s))
        try:
            yield
        finally:
            self._set_visibility(usual)

    def purge(self) -> None:
        for url in (self._url, self._dead_letters_url):
            self._sqs.purge_queue(QueueUrl=url)

    def _deliver(self, *, enabled: bool) -> None:
        arn = self._attributes(self._url, "QueueArn")["QueueArn"]
        (trigger,) = self._lambdas.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
        self._lambdas.update_event_source_mapping(UUID=trigger["UUID"], Enabled=enabled)

    def _set_visibility(self, seconds: str) -> None:
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"VisibilityTimeout": seconds})

    def _attributes(self, url: str, *names: str) -> dict[str, str]:
        attributes: dict[str, str] = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))[
            "Attributes"
        ]
        return attributes


class Rows:
    """The tables, past all that guards them."""

    def __init__(self, current: State) -> None:
        self._dynamodb = aws.client("dynamodb", current.aws_endpoint_url)
        self._tables = current.tables

    def set_width(self, user_id: str, generation_id: str, width: int) -> None:
        self._dynamodb.update_item(
            TableName=self._tables["generations"],
            Key={"user_id": {"S": user_id}, "id": {"S": generation_id}},
            UpdateExpression="SET params.width = :width",
            ExpressionAttributeValues={":width": {"N": str(width)}},
        )

    @contextmanager
    def without_account(self, user_id: str) -> Iterator[None]:
        """Take a user's account away and put it back as it was; nobody may ask the API for it meanwhile."""
        table, key = self._tables["credits"], {"user_id": {"S": user_id}, "id": {"S": "account"}}
        item = self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        self._dynamodb.delete_item(TableName=table, Key=key)
        try:
            yield
        finally:
            self._dynamodb.put_item(TableName=table, Item=item)


def logged(current: State, folder: str, **fields: Any) -> int:
    """Return how many lines with these fields a function has logged."""
    lambdas = aws.client("lambda", current.aws_endpoint_url)
    group = lambdas.get_function_configuration(FunctionName=current.functions[folder])["LoggingConfig"]
    pages = aws.client("logs", current.aws_endpoint_url).get_paginator("filter_log_events")
    lines = (
        json.loads(event["message"])
        for page in pages.paginate(logGroupName=group["LogGroup"])
        for event in page["events"]
        if event["message"].startswith("{")
    )
    return sum(fields.items() <= line.items() for line in lines)
