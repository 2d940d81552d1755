"""A row that another version of the code has written: it is no reason to stop for all others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import boto3
import pytest

from revela.adapters.dynamodb.changes import DynamoChanges
from revela.adapters.dynamodb.generations import DynamoGenerations
from revela.adapters.dynamodb.tables import Tables
from revela.domain.change import Change, JobWrite
from revela.domain.job import State
from revela.ports import Ref
from revela.usecases.reconcile_jobs import reconcile_jobs
from tests.contract.aws import NAMES, REGION, aws, deploy_tables
from tests.examples import a_generation
from tests.fakes import FakePorts
from tests.fakes.clock import START

READABLE, UNREADABLE = Ref("ana", "gen_01"), Ref("bia", "gen_02")


@pytest.fixture
def tables() -> Iterator[Tables]:
    with aws():
        yield deploy_tables()


@pytest.fixture
def generations(tables: Tables) -> DynamoGenerations:
    """Two rows that are due, one of them in a state that this version does not know."""
    changes = DynamoChanges(tables)
    for ref in (READABLE, UNREADABLE):
        row = a_generation(user_id=ref.user_id, id=ref.id, state=State.QUEUED, due_at=START)
        changes.commit(Change(now=START, job=JobWrite(None, row)))
    boto3.client("dynamodb", region_name=REGION).update_item(
        TableName=NAMES.generations,
        Key={"user_id": {"S": UNREADABLE.user_id}, "id": {"S": UNREADABLE.id}},
        UpdateExpression="SET #state = :tomorrow",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":tomorrow": {"S": "archived"}},
    )
    return DynamoGenerations(tables)


def test_who_reads_it_is_told(generations: DynamoGenerations) -> None:
    with pytest.raises(ValueError, match="archived"):
        generations.get(UNREADABLE)
    with pytest.raises(ValueError, match="archived"):
        generations.get_many([READABLE, UNREADABLE])


def test_reconcile_visits_all_others(tables: Tables, generations: DynamoGenerations) -> None:
    ports = FakePorts()
    ports.generations = generations  # type: ignore[assignment]  # the real one, for once
    ports.changes = DynamoChanges(tables)  # type: ignore[assignment]  # and here
    now = ports.clock.advance(timedelta(minutes=1))

    assert reconcile_jobs(ports=ports, until=now + timedelta(seconds=55)) == 1

    assert ports.commands.take_started() == [READABLE]
    (line,) = (line for line in ports.telemetry.lines if line.event == "row_unreadable")
    assert line.fields == {"row_id": UNREADABLE.id, "reason": "ValidationError"}


@pytest.fixture
def one_row_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revela.usecases.reconcile_jobs.ROWS_PER_SHARD", 1)
    monkeypatch.setattr("revela.usecases.reconcile_jobs.DUE_SHARDS", 1)
    monkeypatch.setattr("revela.adapters.dynamodb.mapping.DUE_SHARDS", 1)


def test_however_many_there_are_the_others_have_their_turn(
    one_row_at_a_time: None, tables: Tables, generations: DynamoGenerations
) -> None:
    behind = a_generation(
        user_id="caio", id="gen_03", state=State.QUEUED, due_at=START + timedelta(seconds=1)
    )
    DynamoChanges(tables).commit(Change(now=START, job=JobWrite(None, behind)))
    ports = FakePorts()
    ports.generations = generations  # type: ignore[assignment]  # the real one, for once
    ports.changes = DynamoChanges(tables)  # type: ignore[assignment]  # and here
    now = ports.clock.advance(timedelta(minutes=1))

    visited = sum(reconcile_jobs(ports=ports, until=now + timedelta(seconds=55)) for _ in range(20))

    assert visited >= 2
    assert ports.telemetry.events("warning").count("row_unreadable") == 1
    assert Ref("caio", "gen_03") in ports.commands.take_started()


def test_what_is_put_off_is_due_then_and_keeps_all_else(generations: DynamoGenerations) -> None:
    later = START + timedelta(hours=1)
    generations.put_off(READABLE, until=later)

    row = generations.get(READABLE)
    assert row is not None
    assert (row.due_at, row.version) == (later, 1)
    generations.put_off(Ref("ana", "gen_none"), until=later)
    assert generations.get(Ref("ana", "gen_none")) is None
