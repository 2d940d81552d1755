"""What the tables and the bucket hold, in the shapes that the oracle of the money takes."""

from __future__ import annotations

from typing import Any

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
from tests.contract.aws import NAMES
from tests.fakes import FakePorts, Store
from tests.fakes.objects import StoredObject


def stored(client: Any, tables: Tables, objects: dict[str, bytes]) -> FakePorts:
    """Return in-memory ports that hold what is in the tables; `client` is one of DynamoDB."""
    store = Store()
    for item in _items(client, NAMES.generations):
        user_id, id_ = item["user_id"]["S"], item["id"]["S"]
        if id_.startswith("gen_"):
            store.generations[Ref(user_id, id_)] = generation_of(tables.generation.from_raw_data(item))
        elif id_.startswith("wait#"):
            store.pointers[user_id, id_] = Ref(user_id, item["generation_id"]["S"])
    for item in _items(client, NAMES.models):
        user_id, id_ = item["user_id"]["S"], item["id"]["S"]
        if "#trn_" in id_:
            store.trainings[Ref(user_id, id_)] = training_of(tables.training.from_raw_data(item))
        elif "#pho_" in id_:
            store.photos[user_id, id_] = photo_of(tables.photo.from_raw_data(item))
        else:
            store.models[user_id, id_] = model_of(tables.model.from_raw_data(item))
    for item in _items(client, NAMES.credits):
        if item["id"]["S"] == "account":
            account = account_of(tables.account.from_raw_data(item))
            store.accounts[account.user_id] = account
    for item in _items(client, NAMES.ledger):
        entry = entry_of(tables.entry.from_raw_data(item))
        store.entries[entry.account_id, entry.number] = entry
    for item in _items(client, NAMES.control):
        if item["id"]["S"].startswith("prediction#"):
            row = tables.prediction.from_raw_data(item)
            claim = PredictionClaim(row.id.removeprefix("prediction#"), row.owner, row.ttl)
            store.predictions[claim.prediction_id] = claim
    ports = FakePorts(store=store)
    ports.objects.stored = {key: StoredObject(data, "") for key, data in objects.items()}
    return ports


def _items(client: Any, table: str) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = client.scan(TableName=table)["Items"]
    return found
