from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PutError, PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition

from revela.adapters.dynamodb.failures import CONDITION_FAILED, as_raised, contended, jitter_s, reasons
from revela.adapters.dynamodb.mapping import account_row, entry_row, job_row, model_row, photo_row
from revela.adapters.dynamodb.tables import Row, Tables
from revela.domain.change import Change, ModelWrite
from revela.domain.errors import Conflict

# Another transaction on the same item takes some 25 ms; after a few of them the caller decides anew.
_TRIES = 5
_WAIT_S = 0.02


@dataclass(frozen=True)
class _Part:
    """One item of a change; `name` as in `Conflict.failed`."""

    name: str
    action: Literal["Check", "Delete", "Put"]
    request: dict[str, Any]


class DynamoChanges:
    """A change of one item is one conditional put; of several, one transaction.

    botocore sends a request again when its answer was lost, so a write may fail on its own first
    success. Every item carries the `write_id` of its commit, and a failed condition hands back the
    item that is there: one of our own says that all of it is written. No client request token is
    relied on: it is forgotten after ten minutes, and messages are delivered again for days.
    """

    def __init__(self, tables: Tables, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._tables = tables
        self._pause = pause

    def commit(self, change: Change) -> None:
        write_id = uuid.uuid4().hex
        parts = [*self._rows(change, write_id), *self._markers(change, write_id)]
        for tried in range(_TRIES):
            try:
                self._write(parts)
                return
            except PynamoDBException as error:
                failed = _failed(parts, error)
                if any(_written_by(item, write_id) for _, item in failed):
                    return
                if failed:
                    raise Conflict(part.name for part, _ in failed) from error
                if not contended(error):
                    raise as_raised(error) from error
            self._pause(jitter_s(_WAIT_S, tried))
        raise Conflict({"contention"})

    def _write(self, parts: list[_Part]) -> None:
        if len(parts) == 1 and parts[0].action == "Put":
            try:
                self._tables.connection.dispatch("PutItem", parts[0].request)
            except (ClientError, BotoCoreError) as error:
                raise PutError("Failed to put item", error) from error
            return
        self._tables.connection.transact_write_items(
            condition_check_items=[part.request for part in parts if part.action == "Check"],
            delete_items=[part.request for part in parts if part.action == "Delete"],
            put_items=[part.request for part in parts if part.action == "Put"],
            update_items=[],
        )

    def _rows(self, change: Change, write_id: str) -> Iterator[_Part]:
        tables = self._tables
        if write := change.job:
            row = job_row(tables, write.stored, write_id=write_id)
            kind = type(row)
            as_read = kind.version == write.before.version if write.before else kind.id.does_not_exist()
            yield _put("job", row, as_read)
        if account := change.account:
            stored = account_row(tables, account.stored, write_id=write_id)
            owner = tables.account
            as_read = owner.version == account.before.version if account.before else owner.id.does_not_exist()
            yield _put("account", stored, as_read)
        if model := change.model:
            yield self._model(model, write_id)
        for photo in change.photos:
            known, version = tables.photo, photo.before.version if photo.before else None
            as_read = known.id.does_not_exist() if version is None else known.version == version
            if photo.after is None:
                yield _delete("photos", known(*photo.key), as_read)
            else:
                yield _put("photos", photo_row(tables, photo.after, write_id=write_id), as_read)
        for entry in change.entries:
            yield _put(
                "entries", entry_row(tables, entry, write_id=write_id), tables.entry.id.does_not_exist()
            )

    def _model(self, write: ModelWrite, write_id: str) -> _Part:
        kind = self._tables.model
        as_read = kind.version == write.before.version if write.before else kind.id.does_not_exist()
        if write.after is None:
            return _delete("model", kind(*write.key), as_read)
        if write.after == write.before:
            return _check("model", kind(*write.key), as_read)
        return _put("model", model_row(self._tables, write.after, write_id=write_id), as_read)

    def _markers(self, change: Change, write_id: str) -> Iterator[_Part]:
        tables = self._tables
        if added := change.pointer_added:
            pointer = tables.pointer(
                user_id=added.user_id, id=added.pointer_id, generation_id=added.id, write_id=write_id
            )
            yield _put("pointer", pointer, tables.pointer.id.does_not_exist())
        if removed := change.pointer_removed:
            yield _delete(
                "pointer",
                tables.pointer(user_id=removed.user_id, id=removed.pointer_id),
                tables.pointer.id.exists(),
            )
        if claim := change.prediction:
            mark = tables.prediction(
                id=f"prediction#{claim.prediction_id}",
                owner=claim.owner,
                ttl=claim.expires_at,
                write_id=write_id,
            )
            mine = tables.prediction.id.does_not_exist() | (tables.prediction.owner == claim.owner)
            yield _put("prediction", mark, mine)
        if key := change.idempotency_key:
            known = tables.idempotency(
                user_id=key.user_id,
                id=key.id,
                request_hash=key.request_hash,
                accepted=key.accepted.model_dump_json(),
                expires_at=key.expires_at,
                ttl=key.expires_at,
                write_id=write_id,
            )
            # TTL deletes late, hours to days: what has expired is as good as gone.
            free = tables.idempotency.id.does_not_exist() | (tables.idempotency.expires_at <= change.now)
            yield _put("idempotency_key", known, free)
        if receipt := change.receipt:
            given = tables.receipt(
                user_id=receipt.user_id, id=f"grant#{receipt.reference}", write_id=write_id
            )
            yield _put("receipt", given, tables.receipt.id.does_not_exist())


def _put(name: str, row: Row, condition: Condition) -> _Part:
    request = row.get_save_kwargs_from_instance(condition, return_values_on_condition_failure="ALL_OLD")
    return _Part(name, "Put", request)


def _check(name: str, row: Row, condition: Condition) -> _Part:
    return _Part(name, "Check", row.get_delete_kwargs_from_instance(condition))


def _delete(name: str, row: Row, condition: Condition) -> _Part:
    return _Part(name, "Delete", row.get_delete_kwargs_from_instance(condition))


def _failed(parts: list[_Part], error: PynamoDBException) -> list[tuple[_Part, dict[str, Any]]]:
    """Return the parts whose condition did not hold, each with the item that is there."""
    if isinstance(error, TransactWriteError) and error.cancellation_reasons:
        # PynamoDB sends checks, then deletes, then puts; the reasons come in the order of sending.
        sent = sorted(parts, key=lambda part: part.action)
        return [
            (part, reason.raw_item or {})
            for part, reason in zip(sent, error.cancellation_reasons, strict=True)
            if reason is not None and reason.code in CONDITION_FAILED
        ]
    if CONDITION_FAILED.isdisjoint(reasons(error)):
        return []
    # PynamoDB's own error keeps the code alone; the one it was raised from has the item.
    original = error.cause.__cause__ if error.cause else None
    item: dict[str, Any] = {}
    if isinstance(original, ClientError):
        item = dict(original.response).get("Item", {})  # type: ignore[assignment]  # the stubs know no Item
    return [(parts[0], item)]


def _written_by(item: dict[str, Any], write_id: str) -> bool:
    return bool(item.get("write_id", {}).get("S") == write_id)
