"""The tables as dictionaries, and the ports over them."""

from __future__ import annotations

import base64
import re
import threading
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from revela.domain.account import Account
from revela.domain.change import Change, IdempotencyKey, PredictionClaim
from revela.domain.errors import Conflict, InvalidParam, InvalidRequest
from revela.domain.generation import Generation
from revela.domain.job import Job, State
from revela.domain.ledger import LedgerEntry
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.photo import Photo
from revela.domain.policy import DUE_SHARDS
from revela.domain.training import Training
from revela.ports import ModelRef, Page, Ref
from tests.fakes.calls import Calls, port_call

_GENERATION, _TRAINING = re.compile(r"gen_[0-9A-Za-z]{1,40}"), re.compile(r"trn_[0-9A-Za-z]{1,40}")
_MODEL, _ENTRY = re.compile(r"mdl_[0-9A-Za-z]{1,40}"), re.compile(r"entry#[0-9]{12}")


Row = TypeVar("Row")
Versioned = Job | Account | PersonalModel | Photo


class Store:
    """What is written. A change is judged whole and written whole under `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.generations: dict[Ref, Generation] = {}
        self.trainings: dict[Ref, Training] = {}
        self.models: dict[tuple[str, str], PersonalModel] = {}
        self.photos: dict[tuple[str, str], Photo] = {}
        self.accounts: dict[str, Account] = {}
        self.entries: dict[tuple[str, int], LedgerEntry] = {}
        self.pointers: dict[tuple[str, str], Ref] = {}
        self.predictions: dict[str, PredictionClaim] = {}
        self.idempotency_keys: dict[tuple[str, str], IdempotencyKey] = {}
        self.receipts: set[tuple[str, str]] = set()

    def job(self, ref: Ref) -> Job | None:
        return self.trainings.get(ref) if ref.of_training else self.generations.get(ref)

    def ledger_of(self, account_id: str) -> list[LedgerEntry]:
        """Return an account's entries in the order they were written."""
        return [entry for (owner, _), entry in sorted(self.entries.items()) if owner == account_id]


class FakeGenerations:
    def __init__(self, store: Store, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self._store = store

    @port_call
    def get(self, ref: Ref) -> Generation | None:
        return self._store.generations.get(ref)

    @port_call
    def get_many(self, refs: Sequence[Ref]) -> list[Generation]:
        return [row for ref in dict.fromkeys(refs) if (row := self._store.generations.get(ref))]

    @port_call
    def page(
        self, user_id: str, *, limit: int, cursor: str | None, state: State | None, model: str | None
    ) -> Page[Generation]:
        before = _decoded(cursor, _GENERATION)
        rows = [
            row
            for row in self._store.generations.values()
            if row.user_id == user_id
            and (before is None or row.id < before)
            and row.state is not State.DELETING
            and (state is None or row.state is state)
            and (model is None or row.model == model)
        ]
        rows.sort(key=lambda row: row.id, reverse=True)
        return Page(rows[:limit], _encoded(rows[limit - 1].id) if len(rows) > limit else None)

    @port_call
    def live_of(self, model: ModelRef) -> list[Generation]:
        return [
            row
            for row in self._store.generations.values()
            if (row.user_id, row.model) == (model.user_id, model.id) and row.state.live
        ]

    @port_call
    def first_waiting(self, user_id: str) -> Ref | None:
        pointers = sorted(key for key in self._store.pointers if key[0] == user_id)
        return self._store.pointers[pointers[0]] if pointers else None

    @port_call
    def idempotency_key(self, user_id: str, key_id: str) -> IdempotencyKey | None:
        return self._store.idempotency_keys.get((user_id, key_id))

    @port_call
    def due(self, shard: int, *, until: datetime, limit: int) -> list[Ref]:
        due = [
            (row.due_at, row.id, ref)
            for ref, row in self._store.generations.items()
            if row.due_at is not None
            and row.due_at <= until
            and zlib.crc32(row.id.encode()) % DUE_SHARDS == shard
        ]
        return [ref for *_, ref in sorted(due, key=lambda found: found[:2])[:limit]]

    @port_call
    def put_off(self, ref: Ref, *, until: datetime) -> None:
        row = self._store.generations.get(ref)
        if row is not None and row.due_at is not None:
            self._store.generations[ref] = row.model_copy(update={"due_at": until})

    @port_call
    def remove(self, generation: Generation) -> None:
        with self._store.lock:
            stored = self._store.generations.get(_ref(generation))
            if stored is not None and stored.version != generation.version:
                raise Conflict({"job"})
            self._store.generations.pop(_ref(generation), None)


class FakeTrainings:
    def __init__(self, store: Store, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self._store = store

    @port_call
    def get(self, ref: Ref) -> Training | None:
        return self._store.trainings.get(ref)

    @port_call
    def get_many(self, refs: Sequence[Ref]) -> list[Training]:
        return [row for ref in dict.fromkeys(refs) if (row := self._store.trainings.get(ref))]

    @port_call
    def page(self, model: ModelRef, *, limit: int, cursor: str | None) -> Page[Training]:
        before = _decoded(cursor, _TRAINING)
        rows = [
            row
            for row in self._store.trainings.values()
            if (row.user_id, row.model_id) == (model.user_id, model.id)
            and (before is None or row.training_id < before)
        ]
        rows.sort(key=lambda row: row.id, reverse=True)
        return Page(rows[:limit], _encoded(rows[limit - 1].training_id) if len(rows) > limit else None)

    @port_call
    def remove(self, training: Training) -> None:
        with self._store.lock:
            stored = self._store.trainings.get(_ref(training))
            if stored is not None and stored.version != training.version:
                raise Conflict({"job"})
            self._store.trainings.pop(_ref(training), None)


class FakeModels:
    def __init__(self, store: Store, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self._store = store

    @port_call
    def get(self, ref: ModelRef) -> PersonalModel | None:
        return self._store.models.get((ref.user_id, ref.id))

    @port_call
    def page(self, user_id: str, *, limit: int, cursor: str | None) -> Page[PersonalModel]:
        before = _decoded(cursor, _MODEL)
        rows = [
            row
            for row in self._store.models.values()
            if row.user_id == user_id
            and row.state is not ModelState.DELETING
            and (before is None or row.id < before)
        ]
        rows.sort(key=lambda row: row.id, reverse=True)
        return Page(rows[:limit], _encoded(rows[limit - 1].id) if len(rows) > limit else None)

    @port_call
    def due(self, shard: int, *, until: datetime, limit: int) -> list[Ref]:
        store = self._store
        rows = [(row.due_at, row.user_id, row.id) for row in store.models.values()]
        rows += [(row.due_at, row.user_id, row.id) for row in store.trainings.values()]
        rows += [(row.due_at, row.user_id, row.row_id) for row in store.photos.values()]
        due = [
            (due_at, id_, user_id)
            for due_at, user_id, id_ in rows
            if due_at is not None and due_at <= until and zlib.crc32(id_.encode()) % DUE_SHARDS == shard
        ]
        return [Ref(user_id, id_) for _, id_, user_id in sorted(due)[:limit]]

    @port_call
    def put_off(self, ref: Ref, *, until: datetime) -> None:
        if (row := self._store.models.get((ref.user_id, ref.id))) is not None:
            self._store.models[ref.user_id, ref.id] = row.model_copy(update={"due_at": until})


class FakePhotos:
    def __init__(self, store: Store, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self._store = store

    @port_call
    def get(self, model: ModelRef, photo_id: str) -> Photo | None:
        return self._store.photos.get((model.user_id, f"{model.id}#{photo_id}"))

    @port_call
    def of(self, model: ModelRef) -> list[Photo]:
        photos = self._store.photos.values()
        found = [row for row in photos if (row.user_id, row.model_id) == (model.user_id, model.id)]
        return sorted(found, key=lambda row: row.id)


class FakeAccounts:
    def __init__(self, store: Store, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self._store = store

    @port_call
    def get(self, user_id: str) -> Account | None:
        return self._store.accounts.get(user_id)

    @port_call
    def ledger(self, account_id: str, *, limit: int, cursor: str | None) -> Page[LedgerEntry]:
        before = _decoded(cursor, _ENTRY)
        entries = [
            entry
            for entry in reversed(self._store.ledger_of(account_id))
            if before is None or _entry_id(entry) < before
        ]
        more = len(entries) > limit
        return Page(entries[:limit], _encoded(_entry_id(entries[limit - 1])) if more else None)


class FakeChanges:
    def __init__(self, store: Store, calls: Calls | None = None) -> None:
        self.calls = calls or Calls()
        self._store = store

    @port_call
    def commit(self, change: Change) -> None:
        with self._store.lock:
            failed = set(_failed(self._store, change))
            if failed:
                raise Conflict(failed)
            _write(self._store, change)


def _failed(store: Store, change: Change) -> Iterator[str]:
    """Yield the parts of the change that do not fit what is stored."""
    if (write := change.job) and not _still(store.job(_ref(write.after)), write.before):
        yield "job"
    if (account := change.account) and not _still(store.accounts.get(account.after.user_id), account.before):
        yield "account"
    if (model := change.model) and not _still(store.models.get(model.key), model.before):
        yield "model"
    if any(not _still(store.photos.get(photo.key), photo.before) for photo in change.photos):
        yield "photos"
    if any((entry.account_id, entry.number) in store.entries for entry in change.entries):
        yield "entries"
    yield from _failed_markers(store, change)


def _failed_markers(store: Store, change: Change) -> Iterator[str]:
    if (added := change.pointer_added) and _pointer(added) in store.pointers:
        yield "pointer"
    if (removed := change.pointer_removed) and _pointer(removed) not in store.pointers:
        yield "pointer"
    if claim := change.prediction:
        held = store.predictions.get(claim.prediction_id)
        if held is not None and held.owner != claim.owner:
            yield "prediction"
    if key := change.idempotency_key:
        known = store.idempotency_keys.get((key.user_id, key.id))
        if known is not None and known.expires_at > change.now:
            yield "idempotency_key"
    if (receipt := change.receipt) and (receipt.user_id, receipt.reference) in store.receipts:
        yield "receipt"


def _write(store: Store, change: Change) -> None:
    if change.job:
        match stored := change.job.stored:
            case Training():
                store.trainings[_ref(stored)] = stored
            case Generation():
                store.generations[_ref(stored)] = stored
    if change.account:
        store.accounts[change.account.after.user_id] = change.account.stored
    if change.model:
        _put(store.models, change.model.key, change.model.after)
    for photo in change.photos:
        _put(store.photos, photo.key, photo.after)
    for entry in change.entries:
        store.entries[entry.account_id, entry.number] = entry
    _write_markers(store, change)


def _write_markers(store: Store, change: Change) -> None:
    if change.pointer_added:
        store.pointers[_pointer(change.pointer_added)] = _ref(change.pointer_added)
    if change.pointer_removed:
        del store.pointers[_pointer(change.pointer_removed)]
    if change.prediction:
        store.predictions[change.prediction.prediction_id] = change.prediction
    if change.idempotency_key:
        key = change.idempotency_key
        store.idempotency_keys[key.user_id, key.id] = key
    if change.receipt:
        store.receipts.add((change.receipt.user_id, change.receipt.reference))


def _put(rows: dict[tuple[str, str], Row], key: tuple[str, str], row: Row | None) -> None:
    if row is None:
        del rows[key]
    else:
        rows[key] = row


def _still(stored: Versioned | None, before: Versioned | None) -> bool:
    if stored is None or before is None:
        return stored is before
    return stored.version == before.version


def _ref(job: Job) -> Ref:
    return Ref(job.user_id, job.id)


def _pointer(generation: Generation) -> tuple[str, str]:
    return generation.user_id, generation.pointer_id


def _entry_id(entry: LedgerEntry) -> str:
    return f"entry#{entry.number:012d}"


def _encoded(id_: str) -> str:
    return base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def _decoded(cursor: str | None, shape: re.Pattern[str]) -> str | None:
    if cursor is None:
        return None
    try:
        id_ = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        id_ = ""
    if not shape.fullmatch(id_):
        raise InvalidRequest("invalid_request", invalid_params=[InvalidParam("cursor", "invalid")])
    return id_
