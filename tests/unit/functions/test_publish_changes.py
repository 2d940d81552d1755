from __future__ import annotations

import copy
import json
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from publish_changes.handler import handler
from revela import bootstrap, settings
from revela.adapters.dynamodb.mapping import job_row
from revela.adapters.dynamodb.tables import Tables
from revela.domain.events import (
    Credits,
    DomainEvent,
    GenerationAppealed,
    GenerationCanceled,
    GenerationFailed,
    GenerationQueued,
    GenerationStarted,
    GenerationSucceeded,
)
from revela.usecases.publish_changes import publish_changes
from tests.examples import a_generation
from tests.fakes import FakePorts
from tests.fakes.clock import START

EVENTS = Path(__file__).parents[3] / "events" / "publish_changes"
ID = "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE"


@dataclass(frozen=True)
class Context:
    function_name: str = "publish_changes"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:publish_changes"
    aws_request_id: str = "5c6f0a3e-3b1e-4c4e-9f59-2f2f8ad0a001"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> FakePorts:
    fakes = FakePorts()
    monkeypatch.setattr(bootstrap, "publish_changes", lambda: partial(publish_changes, ports=fakes))
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Revela")
    return fakes


def sample(name: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))["Records"]
    return records


def deliver(*records: dict[str, Any]) -> list[str]:
    """Return the sequence numbers to be delivered again."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No application metrics to publish")
        answer = handler({"Records": list(records)}, Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def told(ports: FakePorts) -> DomainEvent:
    (event,) = ports.events.told
    return event


HELD = Credits(estimated=6, held=6, charged=0, refunded=0)
REFUNDED = Credits(estimated=6, held=0, charged=0, refunded=6)


@pytest.mark.parametrize(
    ("name", "kind", "facts"),
    [
        ("accepted", GenerationQueued, {"id": f"{ID}@1", "credits": HELD, "at": START}),
        ("started", GenerationStarted, {"id": f"{ID}@3", "credits": HELD, "attempt": 1}),
        (
            "succeeded",
            GenerationSucceeded,
            {"id": f"{ID}@5", "credits": Credits(estimated=6, held=0, charged=6, refunded=0), "images": 2},
        ),
        ("failed", GenerationFailed, {"id": f"{ID}@4", "credits": REFUNDED, "failure_code": "moderated"}),
        ("canceled", GenerationCanceled, {"id": f"{ID}@2", "credits": REFUNDED}),
        (
            "appealed",
            GenerationAppealed,
            {"id": f"{ID}@6", "credits": Credits(estimated=6, held=0, charged=3, refunded=3), "blocked": 1},
        ),
    ],
)
def test_a_change_of_state_is_told(
    ports: FakePorts, name: str, kind: type[DomainEvent], facts: dict[str, Any]
) -> None:
    assert deliver(*sample(name)) == []

    event = told(ports)
    assert type(event) is kind
    assert (event.user_id, event.generation_id, event.model) == ("ana", ID, "flux-dev")
    assert {key: getattr(event, key) for key in facts} == facts


def test_what_is_no_generation_is_no_news(ports: FakePorts) -> None:
    assert deliver(*sample("not_a_generation")) == []
    assert ports.events.told == []


@pytest.mark.parametrize("name", [path.stem for path in sorted(EVENTS.glob("*.json"))])
def test_no_event_says_what_a_person_wrote(ports: FakePorts, name: str) -> None:
    deliver(*sample(name))

    for event in ports.events.told:
        assert "lighthouse" not in event.model_dump_json()
        assert "prompt" not in event.model_dump_json()


def test_a_removed_row_is_no_news(ports: FakePorts) -> None:
    (record,) = sample("canceled")
    record["eventName"] = "REMOVE"
    del record["dynamodb"]["NewImage"]

    assert deliver(record) == []
    assert ports.events.told == []


def test_a_batch_is_told_in_order_and_only_what_failed_comes_again(ports: FakePorts) -> None:
    records = [*sample("accepted"), *sample("not_a_generation"), *sample("started"), *sample("succeeded")]
    ports.events.refused = {1}

    assert deliver(*records) == [records[2]["dynamodb"]["SequenceNumber"]]
    assert [event.name for event in ports.events.told] == ["GenerationQueued", "GenerationSucceeded"]


def test_a_row_that_cannot_be_read_holds_up_no_other(ports: FakePorts) -> None:
    (unreadable,) = copy.deepcopy(sample("accepted"))
    unreadable["dynamodb"]["NewImage"]["state"] = {"S": "daydreaming"}
    unreadable["dynamodb"]["SequenceNumber"] = "1"

    assert deliver(unreadable, *sample("failed")) == ["1"]
    assert told(ports).name == "GenerationFailed"


def test_the_samples_are_items_as_they_are_written() -> None:
    tables = Tables(
        settings.Tables("Generations", "Models", "Credits", "Ledger", "Control"), region="us-east-1"
    )
    written = job_row(tables, a_generation(ID), write_id="w").serialize()

    (record,) = sample("accepted")

    assert {key: set(value) for key, value in record["dynamodb"]["NewImage"].items()} == {
        key: set(value) for key, value in written.items()
    }
