"""What DynamoDB does on a bad day: answers that get lost, contention, throttling, outages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from pynamodb.exceptions import PynamoDBException

from revela.adapters.dynamodb.accounts import DynamoAccounts
from revela.adapters.dynamodb.changes import DynamoChanges
from revela.adapters.dynamodb.generations import DynamoGenerations
from revela.adapters.dynamodb.pace import DynamoPace
from revela.adapters.dynamodb.tables import Tables
from revela.domain.change import AccountWrite, Change, JobWrite, PredictionClaim
from revela.domain.errors import Conflict, Transient
from revela.domain.job import State
from revela.ports import Ref
from tests.contract.aws import aws, deploy_tables
from tests.contract.wire import Send, Wire, canceled, raising, refused, sent_twice, wire
from tests.examples import a_generation, an_account, an_entry
from tests.fakes.clock import START

NEW_ROW = Change(now=START, job=JobWrite(None, a_generation()))
NEW_ACCOUNT = Change(now=START, account=AccountWrite(None, an_account()), entries=(an_entry(1), an_entry(2)))
SOON = START + timedelta(minutes=5)
LOST = ReadTimeoutError(endpoint_url="https://dynamodb.test")


class Aws:
    """The adapters on moto, with a wire between; waits are noted, not waited."""

    def __init__(self, tables: Tables, wire: Wire) -> None:
        self.wire = wire
        self.waits: list[float] = []
        self.changes = DynamoChanges(tables, pause=self.waits.append)
        self.generations = DynamoGenerations(tables, pause=self.waits.append)
        self.accounts = DynamoAccounts(tables)
        self.pace = DynamoPace(tables, creates_per_minute=600, reads_per_minute=3000)


@pytest.fixture
def on() -> Iterator[Aws]:
    with aws():
        tables = deploy_tables()
        with wire() as between:
            yield Aws(tables, between)


# An answer is lost after the write, and botocore sends the write again


def test_a_put_that_is_sent_twice_succeeds(on: Aws) -> None:
    on.wire.break_next("PutItem", sent_twice)

    on.changes.commit(NEW_ROW)

    assert on.generations.get(Ref("ana", "gen_01")) == a_generation()


def test_a_transaction_that_is_sent_twice_succeeds_and_counts_once(on: Aws) -> None:
    on.wire.break_next("TransactWriteItems", sent_twice)

    on.changes.commit(NEW_ACCOUNT)

    assert on.accounts.get("ana") == an_account()
    assert len(on.accounts.ledger("acc_1", limit=10, cursor=None).items) == 2


def test_a_hand_over_that_is_sent_twice_succeeds(on: Aws) -> None:
    waiting = a_generation(state=State.WAITING)
    on.changes.commit(Change(now=START, job=JobWrite(None, waiting), pointer_added=waiting))
    on.wire.break_next("TransactWriteItems", sent_twice)

    queued = waiting.model_copy(update={"state": State.QUEUED})
    on.changes.commit(Change(now=START, job=JobWrite(waiting, queued), pointer_removed=waiting))

    assert on.generations.first_waiting("ana") is None


def test_anothers_write_is_not_taken_for_ones_own(on: Aws) -> None:
    on.changes.commit(NEW_ROW)
    on.changes.commit(NEW_ACCOUNT)

    for again in (NEW_ROW, NEW_ACCOUNT):
        with pytest.raises(Conflict):
            on.changes.commit(again)


# Contention and throttling


@pytest.mark.parametrize(
    "fault",
    [
        canceled("TransactionConflict", "None", "None"),
        canceled("None", "ThrottlingError", "None"),
        refused("TransactionInProgressException"),
        refused("ThrottlingException"),
    ],
)
def test_a_contended_transaction_is_tried_again(on: Aws, fault: Any) -> None:
    on.wire.break_next("TransactWriteItems", fault, fault)

    on.changes.commit(NEW_ACCOUNT)

    assert on.wire.operations().count("TransactWriteItems") == 3
    assert len(on.waits) == 2
    assert all(wait >= 0 for wait in on.waits)


def test_a_put_that_meets_a_transaction_is_tried_again(on: Aws) -> None:
    on.wire.break_next("PutItem", refused("TransactionConflictException"))

    on.changes.commit(NEW_ROW)

    assert on.wire.operations() == ["PutItem", "PutItem"]


def test_endless_contention_is_a_conflict_of_its_own_kind(on: Aws) -> None:
    on.wire.break_next("TransactWriteItems", *[canceled("TransactionConflict", "None", "None")] * 50)

    with pytest.raises(Conflict) as conflict:
        on.changes.commit(NEW_ACCOUNT)

    assert conflict.value.failed == {"contention"}
    assert len(on.waits) < 10


def test_a_failed_condition_is_told_at_once_even_under_contention(on: Aws) -> None:
    on.wire.break_next(
        "TransactWriteItems", canceled("ConditionalCheckFailed", "TransactionConflict", "None")
    )

    with pytest.raises(Conflict) as conflict:
        on.changes.commit(NEW_ACCOUNT)

    assert conflict.value.failed == {"account"}
    assert on.waits == []


def test_keys_left_unread_are_asked_for_again(on: Aws) -> None:
    on.changes.commit(NEW_ROW)

    def left_over(_: Any) -> Any:
        (table, asked) = next(iter(on.wire.calls[-1][1]["RequestItems"].items()))
        return {"Responses": {table: []}, "UnprocessedKeys": {table: asked}}

    on.wire.break_next("BatchGetItem", left_over)
    assert on.generations.get_many([Ref("ana", "gen_01")]) == [a_generation()]

    on.wire.break_next("BatchGetItem", *[left_over] * 50)
    with pytest.raises(Transient, match="left unread"):
        on.generations.get_many([Ref("ana", "gen_01")])


def test_slots_that_others_always_take_first_are_a_conflict(on: Aws) -> None:
    on.wire.break_next("UpdateItem", *[refused("ConditionalCheckFailedException")] * 100)

    with pytest.raises(Conflict) as conflict:
        on.pace.reserve_creates(1, now=START, before=SOON)

    assert conflict.value.failed == {"contention"}


def test_a_page_ends_short_rather_than_read_a_whole_history(on: Aws) -> None:
    """A filter that drops nearly everything costs a bounded number of reads; the cursor leads on."""
    on.changes.commit(NEW_ROW)
    nothing: dict[str, Any] = {
        "Items": [],
        "Count": 0,
        "ScannedCount": 100,
        "LastEvaluatedKey": {"user_id": {"S": "ana"}, "id": {"S": "gen_05"}},
    }
    on.wire.break_next("Query", *[lambda _: nothing] * 10)

    page = on.generations.page("ana", limit=3, cursor=None, state=State.QUEUED, model=None)

    assert (list(page.items), on.wire.operations().count("Query")) == ([], 10)
    following = on.generations.page("ana", limit=3, cursor=page.cursor, state=State.QUEUED, model=None)
    assert [row.id for row in following.items] == ["gen_01"]
    assert following.cursor is None


# Outages, and faults of ours


@pytest.mark.parametrize(
    "fault",
    [
        raising(LOST),
        refused("InternalServerError"),
        refused("ServiceUnavailable"),
        refused("ThrottlingException"),
    ],
    ids=["no answer", "internal", "unavailable", "throttled"],
)
def test_an_outage_is_transient_whatever_is_asked(on: Aws, fault: Any) -> None:
    asked: dict[str, Callable[[], object]] = {
        "GetItem": lambda: on.accounts.get("ana"),
        "Query": lambda: on.generations.page("ana", limit=1, cursor=None, state=None, model=None),
        "BatchGetItem": lambda: on.generations.get_many([Ref("ana", "gen_01")]),
        "DeleteItem": lambda: on.generations.remove(a_generation()),
        "UpdateItem": lambda: on.pace.reserve_read(now=START, before=SOON),
    }
    for operation, ask in asked.items():
        on.wire.break_next(operation, fault)
        with pytest.raises(Transient, match="DynamoDB"):
            ask()


@pytest.mark.parametrize("change", [NEW_ROW, NEW_ACCOUNT], ids=["put", "transaction"])
def test_a_write_without_an_answer_is_transient(on: Aws, change: Change) -> None:
    on.wire.break_next("PutItem", raising(LOST))
    on.wire.break_next("TransactWriteItems", raising(LOST))

    with pytest.raises(Transient, match="ReadTimeoutError"):
        on.changes.commit(change)


def test_a_fault_of_ours_is_not_hidden(on: Aws) -> None:
    for operation in ("GetItem", "TransactWriteItems"):
        on.wire.break_next(operation, refused("AccessDeniedException"))

    with pytest.raises(PynamoDBException, match="AccessDenied"):
        on.accounts.get("ana")
    with pytest.raises(PynamoDBException):
        on.changes.commit(NEW_ACCOUNT)
    on.wire.break_next("DeleteItem", refused("ValidationException"))
    with pytest.raises(PynamoDBException, match="Validation"):
        on.generations.remove(a_generation())
    on.wire.break_next("UpdateItem", refused("ResourceNotFoundException"))
    with pytest.raises(PynamoDBException, match="ResourceNotFound"):
        on.pace.reserve_creates(1, now=START, before=SOON)


# What calls cost


def test_a_change_of_one_item_is_a_plain_put_at_half_the_price(on: Aws) -> None:
    on.changes.commit(NEW_ROW)
    on.changes.commit(Change(now=START, prediction=PredictionClaim("p1", "orphan", START)))
    on.changes.commit(NEW_ACCOUNT)

    assert on.wire.operations() == ["PutItem", "PutItem", "TransactWriteItems"]


def test_a_page_costs_one_read_where_one_is_enough(on: Aws) -> None:
    for number in range(4):
        row = a_generation(f"gen_{number}")
        on.changes.commit(Change(now=START, job=JobWrite(None, row)))
    on.wire.calls.clear()

    def more_follow(send: Send) -> Any:
        return {**send(), "LastEvaluatedKey": {"user_id": {"S": "ana"}, "id": {"S": "gen_0"}}}

    on.wire.break_next("Query", more_follow)
    page = on.generations.page("ana", limit=3, cursor=None, state=State.QUEUED, model=None)

    assert ([row.id for row in page.items], on.wire.operations()) == (["gen_3", "gen_2", "gen_1"], ["Query"])


def test_a_reservation_costs_one_read_and_one_write_however_many_slots_it_takes(on: Aws) -> None:
    for _ in range(20):
        on.pace.reserve_creates(10, now=START, before=SOON)

    assert on.wire.operations() == ["GetItem", "UpdateItem"] * 20


def test_all_tables_share_one_client(on: Aws) -> None:
    on.changes.commit(NEW_ROW)
    on.changes.commit(NEW_ACCOUNT)
    on.accounts.get("ana")
    on.pace.blocked_until()

    assert len(on.wire.clients) == 1
