"""Rows of trainings: the same cases over the fake store and over DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from revela.adapters.dynamodb.changes import DynamoChanges
from revela.adapters.dynamodb.generations import DynamoGenerations
from revela.adapters.dynamodb.models import DynamoModels
from revela.adapters.dynamodb.trainings import DynamoTrainings
from revela.domain.account import Portion
from revela.domain.change import Change, IdempotencyKey, JobWrite, ModelWrite
from revela.domain.errors import Conflict, InvalidRequest
from revela.domain.job import Failure, State
from revela.domain.personal_model import Consent, ModelState, PersonalModel
from revela.domain.photo import ModelKind
from revela.domain.policy import DUE_SHARDS
from revela.domain.training import Training
from revela.ports import Changes, Generations, ModelRef, Models, Ref, Trainings
from tests.contract.aws import aws, deploy_tables
from tests.contract.stores import KINDS
from tests.examples import a_generation, a_training
from tests.fakes import FakeChanges, FakeGenerations, Store
from tests.fakes.clock import START
from tests.fakes.store import FakeModels, FakeTrainings

MODEL = ModelRef("ana", "mdl_01")
HOUR = timedelta(hours=1)


@dataclass
class Ports:
    generations: Generations
    trainings: Trainings
    models: Models
    changes: Changes

    def write(self, *rows: Training) -> None:
        for row in rows:
            self.changes.commit(Change(now=START, job=JobWrite(None, row)))


@pytest.fixture(params=KINDS)
def ports(request: pytest.FixtureRequest) -> Iterator[Ports]:
    if request.param == "memory":
        store = Store()
        yield Ports(FakeGenerations(store), FakeTrainings(store), FakeModels(store), FakeChanges(store))
        return
    with aws():
        tables = deploy_tables()
        yield Ports(
            DynamoGenerations(tables), DynamoTrainings(tables), DynamoModels(tables), DynamoChanges(tables)
        )


def ref(row: Training) -> Ref:
    return Ref(row.user_id, row.id)


def a_model(**changes: object) -> PersonalModel:
    values: dict[str, object] = {
        "user_id": "ana",
        "id": "mdl_01",
        "account_id": "acc_1",
        "name": "Ana",
        "kind": ModelKind.FACE,
        "class_word": "woman",
        "trigger_word": "REVK",
        "consent": Consent(accepted_at=START, text_version="1", address_hash="0" * 64),
        "created_at": START,
        "updated_at": START,
    }
    return PersonalModel.model_validate(values | changes)


def full() -> Training:
    at = datetime(2026, 3, 2, 12, 34, 56, 789012, tzinfo=UTC)
    return a_training(
        state=State.SAVING,
        params={"steps": 1500, "learning_rate": 0.0004, "autocaption": False, "lora_rank": None},
        held_from=(Portion(grant_id="promo", credits=50), Portion(grant_id="plan:free", credits=200)),
        credits_charged=250,
        due_at=at,
        not_before=at,
        visits=3,
        attempt=2,
        failures=1,
        refusals=4,
        lost_creates=1,
        save_failures=5,
        claimed_at=at,
        lease_until=at,
        deadline_at=at,
        fingerprint="f" * 64,
        prediction_id="t1",
        cancel_requested_at=at,
        cancel_is_free=True,
        started_at=at,
        completed_at=at,
        predict_time_s=1200.5,
        provider_cost_micro_usd=1_830_000,
        failure=Failure(code="out_of_memory", detail="CUDA"),
        shows_faces=False,
        destination="acme/revela-flux-lora",
        input_file_id="file1",
        input_url="https://api.replicate.com/v1/files/file1",
        progress_percent=99,
        left_s=0,
        trained_version=f"acme/revela-flux-lora:{'a' * 64}",
        weights_key="users/ana/models/mdl_01/trn_01/trained_model.tar",
    )


def test_every_field_is_one_that_the_example_sets() -> None:
    plain, set_ = a_training(), full()

    unset = {name for name in Training.model_fields if getattr(set_, name) == getattr(plain, name)}
    identity = {"user_id", "id", "account_id", "version", "model_id", "trainer", "fine_tune", "photos"}
    said = {"provider_version", "kind", "trigger_word", "class_word", "credits_held", "price_version"}
    assert unset == identity | said | {"created_at", "updated_at"}


@pytest.mark.parametrize("row", [a_training(), full()], ids=["minimal", "full"])
def test_a_row_is_read_as_it_was_written(ports: Ports, row: Training) -> None:
    ports.write(row)

    assert ports.trainings.get(ref(row)) == row
    assert ports.trainings.get_many([ref(row), ref(row), Ref("ana", "mdl_01#trn_none")]) == [row]


def test_a_moved_row_carries_the_next_version_and_is_not_overwritten(ports: Ports) -> None:
    row = a_training()
    ports.write(row)
    moved = row.model_copy(update={"state": State.CANCELED, "due_at": None})
    ports.changes.commit(Change(now=START, job=JobWrite(row, moved)))

    stored = ports.trainings.get(ref(row))
    assert stored is not None
    assert (stored.state, stored.version, stored.due_at) == (State.CANCELED, 2, None)
    with pytest.raises(Conflict) as conflict:
        ports.changes.commit(Change(now=START, job=JobWrite(row, moved)))
    assert set(conflict.value.failed) == {"job"}


def test_another_users_row_is_not_found(ports: Ports) -> None:
    ports.write(a_training())

    assert ports.trainings.get(Ref("bia", "mdl_01#trn_01")) is None


def test_a_training_is_not_accepted_for_a_model_that_moved_on(ports: Ports) -> None:
    model = a_model()
    ports.changes.commit(Change(now=START, model=ModelWrite(None, model)))
    closed = model.changed(START, state=ModelState.DELETING, due_at=START)
    ports.changes.commit(Change(now=START, model=ModelWrite(model, closed)))

    with pytest.raises(Conflict) as conflict:
        ports.changes.commit(
            Change(now=START, job=JobWrite(None, a_training()), model=ModelWrite(model, model))
        )

    assert set(conflict.value.failed) == {"model"}
    assert ports.trainings.get(Ref("ana", "mdl_01#trn_01")) is None


def test_a_key_answers_with_the_training_as_it_was_accepted(ports: Ports) -> None:
    row = a_training()
    key = IdempotencyKey("ana", "key#trainings#1", "abc", row, START + HOUR)
    ports.changes.commit(Change(now=START, job=JobWrite(None, row), idempotency_key=key))

    assert ports.generations.idempotency_key("ana", key.id) == key


# Listings


def test_pages_go_newest_first_and_end_and_are_one_models(ports: Ports) -> None:
    ports.write(*[a_training(f"mdl_01#trn_{n:02d}") for n in range(1, 6)])
    ports.write(a_training("mdl_011#trn_09"), a_training("mdl_00#trn_09"))
    ports.changes.commit(Change(now=START, model=ModelWrite(None, a_model())))

    found, cursor = [], None
    while True:
        page = ports.trainings.page(MODEL, limit=2, cursor=cursor)
        found.append([row.training_id for row in page.items])
        cursor = page.cursor
        if cursor is None:
            break

    assert found == [["trn_05", "trn_04"], ["trn_03", "trn_02"], ["trn_01"]]


@pytest.mark.parametrize("cursor", ["", "?", "Z2VuXzAx", "bWRsXzAxI3Rybl8wMQ"])
def test_a_bad_cursor_is_refused(ports: Ports, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        ports.trainings.page(MODEL, limit=2, cursor=cursor)


def test_what_is_due_is_found_among_models_and_not_among_generations(ports: Ports) -> None:
    rows = [a_training(f"mdl_01#trn_{n:02d}", due_at=START + n * HOUR) for n in range(4)]
    ports.write(*rows)
    ports.changes.commit(Change(now=START, job=JobWrite(None, a_generation(due_at=START))))
    closed = a_model(state=ModelState.DELETING, due_at=START)
    ports.changes.commit(Change(now=START, model=ModelWrite(None, closed)))

    def due(of: Models | Generations) -> list[Ref]:
        return [at for n in range(DUE_SHARDS) for at in of.due(n, until=START + 2 * HOUR, limit=10)]

    assert sorted(due(ports.models), key=lambda at: at.id) == [Ref("ana", "mdl_01"), *map(ref, rows[:3])]
    assert due(ports.generations) == [Ref("ana", "gen_01")]


def test_a_training_that_ended_leaves_the_index(ports: Ports) -> None:
    row = a_training(due_at=START)
    ports.write(row)
    ended = row.model_copy(update={"state": State.FAILED, "due_at": None})
    ports.changes.commit(Change(now=START, job=JobWrite(row, ended)))

    assert not [at for n in range(DUE_SHARDS) for at in ports.models.due(n, until=START + HOUR, limit=10)]


def test_a_row_is_removed_only_as_it_was_read(ports: Ports) -> None:
    row = a_training()
    ports.write(row)

    with pytest.raises(Conflict):
        ports.trainings.remove(row.model_copy(update={"version": 7}))
    for _ in range(2):
        ports.trainings.remove(row)

    assert ports.trainings.get(ref(row)) is None
