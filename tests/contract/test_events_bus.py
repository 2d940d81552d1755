"""The event bus: what it is sent, and what becomes of what it does not take."""

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
    def __init__(self, between: Wire) -> None:
        self.wire = between
        client = boto3.client("events", region_name=REGION)
        client.create_event_bus(Name="stack-events")
        between.calls.clear()
        self.events = EventBridgeEvents(client, "stack-events")


@pytest.fixture
def bus() -> Iterator[Bus]:
    with aws(), wire() as between:
        yield Bus(between)


def test_an_event_carries_its_name_and_fields(bus: Bus) -> None:
    assert bus.events.publish([started(7)]) == []

    ((_, call),) = bus.wire.calls
    (entry,) = call["Entries"]
    assert (entry["EventBusName"], entry["Source"]) == ("stack-events", "revela")
    assert (entry["DetailType"], entry["Time"]) == ("GenerationStarted", START)
    assert json.loads(entry["Detail"]) == {
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
