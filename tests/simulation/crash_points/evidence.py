"""What must be true of everything that is stored, on the real adapters; told by the oracle of the money."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from revela.adapters.dynamodb.mapping import account_of, entry_of, generation_of
from revela.domain.change import PredictionClaim
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.ports import Ref
from tests.contract.aws import NAMES
from tests.fakes import FakePorts, Store
from tests.fakes.objects import StoredObject
from tests.simulation.crash_points.cloud import Cloud
from tests.simulation.crash_points.history import History
from tests.simulation.crash_points.scenarios import Scenario
from tests.unit.usecases.money import assert_sound

# From the last fault, or the last that was asked for, to the end of the last job.
TERMINAL_WITHIN = timedelta(minutes=10)


def assert_sound_on(cloud: Cloud) -> FakePorts:
    """Assert every invariant over what the tables and the bucket hold, and return it."""
    stored = _stored(cloud)
    assert_sound(stored)
    _assert_outputs_are_whole(stored)
    return stored


def assert_at_rest(cloud: Cloud, history: History, scenario: Scenario) -> None:
    stored = assert_sound_on(cloud)
    rows = {ref.id: row for ref, row in stored.store.generations.items()}
    for (key, ref), ends in zip(history.accepted.items(), scenario.ends, strict=True):
        deleted = ref.id in history.deleted
        assert (ref.id not in rows) == deleted, f"{key}: {'still there' if deleted else 'gone'}"
        assert deleted or rows[ref.id].state in ends, f"{key} ended {rows[ref.id].state}"
    # An idempotency key makes one job, however often it was sent.
    assert len(rows) == len(history.accepted) - len(history.deleted)
    for account in stored.store.accounts.values():
        assert (account.held, account.running, account.waiting) == (0, 0, 0)
    assert not history.starts.dead_letters
    assert not history.finishes.dead_letters
    assert not cloud.breaker.unplayed, f"never called: {cloud.breaker.unplayed}"
    _assert_nothing_else_is_published(stored)
    _assert_orphans_are_few(cloud, stored, history)
    assert history.repaired_in <= TERMINAL_WITHIN, f"the last job ended after {history.repaired_in}"


def _stored(cloud: Cloud) -> FakePorts:
    store, tables = Store(), cloud.tables
    for item in _items(cloud, NAMES.generations):
        user_id, id_ = item["user_id"]["S"], item["id"]["S"]
        if id_.startswith("gen_"):
            store.generations[Ref(user_id, id_)] = generation_of(tables.generation.from_raw_data(item))
        elif id_.startswith("wait#"):
            store.pointers[user_id, id_] = Ref(user_id, item["generation_id"]["S"])
    for item in _items(cloud, NAMES.credits):
        if item["id"]["S"] == "account":
            account = account_of(tables.account.from_raw_data(item))
            store.accounts[account.user_id] = account
    for item in _items(cloud, NAMES.ledger):
        entry = entry_of(tables.entry.from_raw_data(item))
        store.entries[entry.account_id, entry.number] = entry
    for item in _items(cloud, NAMES.control):
        if item["id"]["S"].startswith("prediction#"):
            row = tables.prediction.from_raw_data(item)
            claim = PredictionClaim(row.id.removeprefix("prediction#"), row.owner, row.ttl)
            store.predictions[claim.prediction_id] = claim
    ports = FakePorts(store=store)
    ports.objects.stored = {key: StoredObject(data, "") for key, data in cloud.objects().items()}
    return ports


def _items(cloud: Cloud, table: str) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = cloud.clients["dynamodb"].scan(TableName=table)["Items"]
    return found


def _assert_outputs_are_whole(stored: FakePorts) -> None:
    """Every output that a row records is in the bucket, byte for byte as the provider made it."""
    for row in _succeeded(stored):
        assert len(row.outputs) == row.num_outputs, row.id
        for output in row.outputs:
            data = stored.objects.stored[output.key].data
            assert hashlib.sha256(data).hexdigest() == output.sha256, row.id
            assert stored.objects.stored[output.thumbnail_key].data, row.id


def _assert_nothing_else_is_published(stored: FakePorts) -> None:
    recorded = {key for row in _succeeded(stored) for o in row.outputs for key in (o.key, o.thumbnail_key)}
    published = {key for key in stored.objects.stored if key.startswith("users/")}
    assert published == recorded, f"{published ^ recorded}"


def _assert_orphans_are_few(cloud: Cloud, stored: FakePorts, history: History) -> None:
    """Predictions that no job settled are at most the faults, and each is over."""
    predictions = cloud.stand_in.lifecycle.newest_first()
    assert all(prediction.is_over for prediction in predictions)
    settled = [row.prediction_id for row in stored.store.generations.values() if row.prediction_id]
    assert len(set(settled)) == len(settled), "two jobs settled one prediction"
    orphans = {prediction.id for prediction in predictions} - set(settled)
    # A deleted row took its prediction along, and one that failed on order was retried.
    excused = len(history.deleted) + sum(row.failures for row in stored.store.generations.values())
    assert len(orphans) <= len(cloud.breaker.broken) + excused, f"{len(orphans)} orphans"


def _succeeded(stored: FakePorts) -> list[Generation]:
    rows = stored.store.generations.values()
    return [row for row in rows if row.state is State.SUCCEEDED]
