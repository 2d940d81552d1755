"""The event bus: what listeners receive, and what happens to what the bus does not take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from revela.adapters.eventbridge import EventBridgeEvents
from revela.domain.events import Credits, DomainEvent, GenerationStarted
from tests.contract.aws import REGION, aws
from tests.contract.wire import Wire, raising, refused, wire
from tests.fakes.clock import START


def started(number: int) -> DomainEvent:
    return GenerationStarted(
        id=f"gen_{number}@3",
        user_id="ana",
        generation_id=f"gen_{number}",
        model="sdxl",
        credits=Credits(estimated=1, held=1, charged=0, refunded=0),
        at=START,
        attempt=2,
    )


EVENTS = [started(n) for n in range(23)]


class Bus:
    """The adapter, and a queue that a rule of another stack sends the events to."""

    def __init__(self, between: Wire) -> None:
        self.wire = between
        events, self._sqs = (
            boto3.client("events", region_name=REGION),
            boto3.client("sqs", region_name=REGION),
        )
        self._queue = self._sqs.create_queue(QueueName="listener")["QueueUrl"]
        events.create_event_bus(Name="stack-events")
        events.put_rule(
            Name="all", EventBusName="stack-events", EventPattern=json.dumps({"source": ["revela"]})
        )
        arn = f"arn:aws:sqs:{REGION}:123456789012:listener"
        events.put_targets(Rule="all", EventBusName="stack-events", Targets=[{"Id": "1", "Arn": arn}])
        between.calls.clear()
        self.events = EventBridgeEvents(events, "stack-events")

    def heard(self) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture
def bus() -> Iterator[Bus]:
    with aws(), wire() as between:
        yield Bus(between)


def test_listeners_receive_the_events_name_and_fields(bus: Bus) -> None:
    assert bus.events.publish([started(7)]) == []

    (event,) = bus.heard()
    assert (event["source"], event["detail-type"]) == ("revela", "GenerationStarted")
    assert event["detail"] == {
        "id": "gen_7@3",
        "user_id": "ana",
        "generation_id": "gen_7",
        "model": "sdxl",
        "credits": {"estimated": 1, "held": 1, "charged": 0, "refunded": 0},
        "at": "2026-03-02T12:00:00Z",
        "attempt": 2,
    }


def test_events_go_in_tens_and_in_order(bus: Bus) -> None:
    assert bus.events.publish(EVENTS) == []

    sent = [[json.loads(e["Detail"])["id"] for e in call["Entries"]] for _, call in bus.wire.calls]
    assert [len(batch) for batch in sent] == [10, 10, 3]
    assert [id_ for batch in sent for id_ in batch] == [event.id for event in EVENTS]


def test_entries_that_were_left_behind_are_named(bus: Bus) -> None:
    def all_but_the_second(_: Any) -> Any:
        entries: list[dict[str, str]] = [{"EventId": "1"} for _ in bus.wire.calls[-1][1]["Entries"]]
        entries[1] = {"ErrorCode": "ThrottlingException"}
        return {"FailedEntryCount": 1, "Entries": entries}

    bus.wire.break_next("PutEvents", lambda send: send(), all_but_the_second)

    assert bus.events.publish(EVENTS) == [11]


@pytest.mark.parametrize(
    "fault",
    [refused("InternalException"), raising(EndpointConnectionError(endpoint_url="https://events.test"))],
    ids=["refused", "away"],
)
def test_a_call_that_fails_names_all_of_its_events(bus: Bus, fault: Any) -> None:
    bus.wire.break_next("PutEvents", lambda send: send(), lambda send: send(), fault)

    assert bus.events.publish(EVENTS) == [20, 21, 22]
