"""What the tables and the bucket hold, in the shapes that the oracle of the money takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models.dynamo_type import DynamoType

from revela.adapters.dynamodb.mapping import (
    account_of,
    entry_of,
    generation_of,
    model_of,
    photo_of,
    training_of,
)
from revela.adapters.dynamodb.tables import Tables
from revela.domain.change import PredictionClaim
from revela.ports import Ref
from tests.contract.aws import NAMES, REGION
from tests.fakes import FakePorts, Store
from tests.fakes.objects import StoredObject

Item = dict[str, Any]


def stored(tables: Tables, objects: dict[str, bytes]) -> FakePorts:
    """Return in-memory ports that hold what is in the tables."""
    store = Store()
    for item in items(NAMES.generations):
        user_id, id_ = item["user_id"]["S"], item["id"]["S"]
        if id_.startswith("gen_"):
            store.generations[Ref(user_id, id_)] = generation_of(tables.generation.from_raw_data(item))
        elif id_.startswith("wait#"):
            store.pointers[user_id, id_] = Ref(user_id, item["generation_id"]["S"])
    for item in items(NAMES.models):
        user_id, id_ = item["user_id"]["S"], item["id"]["S"]
        if "#trn_" in id_:
            store.trainings[Ref(user_id, id_)] = training_of(tables.training.from_raw_data(item))
        elif "#pho_" in id_:
            store.photos[user_id, id_] = photo_of(tables.photo.from_raw_data(item))
        else:
            store.models[user_id, id_] = model_of(tables.model.from_raw_data(item))
    for item in items(NAMES.credits):
        if item["id"]["S"] == "account":
            account = account_of(tables.account.from_raw_data(item))
            store.accounts[account.user_id] = account
    for item in items(NAMES.ledger):
        entry = entry_of(tables.entry.from_raw_data(item))
        store.entries[entry.account_id, entry.number] = entry
    for item in items(NAMES.control):
        if item["id"]["S"].startswith("prediction#"):
            row = tables.prediction.from_raw_data(item)
            claim = PredictionClaim(row.id.removeprefix("prediction#"), row.owner, row.ttl)
            store.predictions[claim.prediction_id] = claim
    ports = FakePorts(store=store)
    ports.objects.stored = {key: StoredObject(data, "") for key, data in objects.items()}
    return ports


def items(table: str) -> Iterator[Item]:
    """Yield what a table holds, in DynamoDB's own form; to scan it would take many times as long."""
    held = get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION].tables[table]
    for item in held.all_items():
        yield {name: _plain(value) for name, value in item.attrs.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, DynamoType):
        return {value.type: _plain(value.value)}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
