"""What was said of prompts: the same cases over the fake and over DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import boto3
import pytest

from revela.adapters.dynamodb.judgements import DynamoJudgements
from revela.adapters.dynamodb.tables import Tables
from revela.domain.errors import Transient
from revela.domain.judgement import HARM_CATEGORIES, HarmCategory, Judgement, Ticket
from revela.ports import KnownJudgements
from tests.contract.aws import NAMES, REGION, aws, deploy_tables
from tests.contract.stores import KINDS
from tests.contract.wire import refused, wire
from tests.fakes.clock import START
from tests.fakes.judges import FakeJudgements

KEY, OTHER = "a" * 64, "b" * 64
LATER = START + timedelta(days=30)


@pytest.fixture
def tables() -> Iterator[Tables]:
    with aws():
        yield deploy_tables()


@pytest.fixture(params=KINDS)
def known(request: pytest.FixtureRequest) -> Iterator[KnownJudgements]:
    if request.param == "memory":
        yield FakeJudgements()
        return
    with aws():
        yield DynamoJudgements(deploy_tables())


def item() -> Mapping[str, Any]:
    """Return the item as it is stored."""
    client = boto3.client("dynamodb", region_name=REGION)
    return client.get_item(TableName=NAMES.control, Key={"id": {"S": f"judgement#{KEY}"}})["Item"]


def put_item(**attributes: Any) -> None:
    boto3.client("dynamodb", region_name=REGION).put_item(
        TableName=NAMES.control,
        Item={"id": {"S": f"judgement#{KEY}"}, **attributes},
    )


def test_what_nobody_asked_about_is_not_known(known: KnownJudgements) -> None:
    known.put(OTHER, Judgement(), expires_at=LATER)

    assert known.get(KEY) is None


@pytest.mark.parametrize("category", [None, *HARM_CATEGORIES])
def test_a_judgement_is_read_as_it_was_written(known: KnownJudgements, category: HarmCategory | None) -> None:
    known.put(KEY, Judgement(category=category), expires_at=LATER)

    assert known.get(KEY) == Judgement(category=category)


@pytest.mark.parametrize("id_", ["rrr4z55ocneqzikepnug6xezpe", "allowed", "nudity", "0", " ", ""])
def test_a_ticket_is_read_as_a_ticket_whatever_its_id(known: KnownJudgements, id_: str) -> None:
    known.put(KEY, Ticket(id=id_), expires_at=LATER)

    assert known.get(KEY) == Ticket(id=id_)


@pytest.mark.parametrize("harm", [None, "sexual"])
def test_an_answer_takes_the_place_of_its_ticket(known: KnownJudgements, harm: HarmCategory | None) -> None:
    known.put(KEY, Ticket(id="p1"), expires_at=START + timedelta(hours=1))
    known.put(KEY, Judgement(category=harm), expires_at=LATER)

    assert known.get(KEY) == Judgement(category=harm)


@pytest.mark.parametrize("harm", [None, "sexual"])
def test_a_ticket_that_is_written_late_takes_an_answers_place_and_settles_nothing(
    known: KnownJudgements, harm: HarmCategory | None
) -> None:
    known.put(KEY, Judgement(category=harm), expires_at=LATER)
    known.put(KEY, Ticket(id="p2"), expires_at=LATER)

    assert known.get(KEY) == Ticket(id="p2")


def test_texts_are_kept_apart(known: KnownJudgements) -> None:
    known.put(KEY, Judgement(category="hate"), expires_at=LATER)
    known.put(OTHER, Judgement(), expires_at=LATER)

    assert (known.get(KEY), known.get(OTHER)) == (Judgement(category="hate"), Judgement())


# As DynamoDB keeps it


def test_what_was_said_forgets_itself(tables: Tables) -> None:
    DynamoJudgements(tables).put(KEY, Judgement(category="drugs"), expires_at=LATER)

    assert item()["ttl"] == {"N": str(int(LATER.timestamp()))}


def test_what_was_paid_is_not_paid_again_when_it_is_read(tables: Tables) -> None:
    judgements = DynamoJudgements(tables)
    judgements.put(KEY, Judgement(cost_micro_usd=975), expires_at=LATER)

    found = judgements.get(KEY)

    assert isinstance(found, Judgement)
    assert found.cost_micro_usd == 0


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("GetItem", lambda judgements: judgements.get(KEY)),
        ("PutItem", lambda judgements: judgements.put(KEY, Ticket(id="p1"), expires_at=LATER)),
    ],
    ids=["get", "put"],
)
@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalServerError"])
def test_while_dynamodb_is_away_nothing_is_known_and_whoever_asks_is_told(
    tables: Tables, operation: str, call: Callable[[KnownJudgements], object], code: str
) -> None:
    judgements = DynamoJudgements(tables)
    judgements.put(KEY, Judgement(), expires_at=LATER)
    with wire() as between:
        between.break_next(operation, refused(code))

        with pytest.raises(Transient):
            call(judgements)


def test_an_item_that_says_nothing_is_no_leave_to_make_anything(tables: Tables) -> None:
    """Whatever wrote it: a later version, a hand, half a migration. What passes has to say that it does."""
    put_item(schema_version={"N": "1"}, ttl={"N": str(int(LATER.timestamp()))})

    found = DynamoJudgements(tables).get(KEY)

    assert not (isinstance(found, Judgement) and found.allowed)


def test_a_word_of_another_version_is_no_reason_to_stop_for_good(tables: Tables) -> None:
    """The text is asked about again, as if nothing had been known: to ask costs a question, to stop a job."""
    put_item(schema_version={"N": "1"}, category={"S": "gambling"})

    assert DynamoJudgements(tables).get(KEY) is None
