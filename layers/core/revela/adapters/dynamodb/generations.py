from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pynamodb.exceptions import DeleteError, UpdateError
from pynamodb.expressions.condition import Condition

from revela.adapters.dynamodb import cursor as cursors
from revela.adapters.dynamodb.failures import condition_failed, jitter_s, transient
from revela.adapters.dynamodb.mapping import generation_of
from revela.adapters.dynamodb.tables import GenerationRow, Tables
from revela.domain.change import IdempotencyKey
from revela.domain.errors import Conflict, Transient
from revela.domain.generation import Generation, State
from revela.ports import Page, Ref

# Sort keys of generations lie between these; pointers and idempotency keys share the partition.
_FIRST, _LAST = "gen_", "gen_~"
_CURSOR = re.compile(r"gen_[0-9A-Za-z]{1,40}")
# A filter reads more than it returns: so many rows at a time, and so many times before a page ends short.
_FILTERED_READ = 100
_ROUNDS = 10
# AWS: BatchGetItem takes at most 100 keys.
_BATCH = 100
_BATCH_TRIES = 6
_BATCH_WAIT_S = 0.05


class DynamoGenerations:
    def __init__(self, tables: Tables, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._tables = tables
        self._pause = pause

    def get(self, ref: Ref) -> Generation | None:
        row = self._tables.generation
        try:
            with transient():
                return generation_of(row.get(ref.user_id, ref.id, consistent_read=True))
        except row.DoesNotExist:
            return None

    def get_many(self, refs: Sequence[Ref]) -> list[Generation]:
        wanted = [{"user_id": ref.user_id, "id": ref.id} for ref in dict.fromkeys(refs)]
        found: list[Generation] = []
        for start in range(0, len(wanted), _BATCH):
            found += self._get_batch(wanted[start : start + _BATCH])
        return found

    def page(
        self, user_id: str, *, limit: int, cursor: str | None, state: State | None, model: str | None
    ) -> Page[Generation]:
        start = None
        if cursor is not None:
            start = {"user_id": {"S": user_id}, "id": {"S": cursors.decoded(cursor, _CURSOR)}}
        row = self._tables.generation
        wanted: Condition = row.state != State.DELETING.value
        if state is not None:
            wanted &= row.state == state.value
        if model is not None:
            wanted &= row.model == model
        filtered = state is not None or model is not None
        rows: list[GenerationRow] = []
        for _ in range(_ROUNDS):
            with transient():
                read = self._tables.connection.query(
                    row.Meta.table_name,
                    user_id,
                    row.id.between(_FIRST, _LAST),
                    filter_condition=wanted,
                    scan_index_forward=False,
                    exclusive_start_key=start,
                    limit=max(limit + 1, _FILTERED_READ if filtered else 0),
                )
            rows += [row.from_raw_data(item) for item in read["Items"]]
            start = read.get("LastEvaluatedKey")
            if len(rows) > limit or start is None:
                break
        if len(rows) > limit:
            return Page([generation_of(r) for r in rows[:limit]], cursors.encoded(rows[limit - 1].id))
        last = cursors.encoded(start["id"]["S"]) if start else None
        return Page([generation_of(r) for r in rows], last)

    def first_waiting(self, user_id: str) -> Ref | None:
        row = self._tables.pointer
        with transient():
            for pointer in row.query(user_id, row.id.startswith("wait#"), consistent_read=True, limit=1):
                return Ref(user_id, pointer.generation_id)
        return None

    def idempotency_key(self, user_id: str, key_id: str) -> IdempotencyKey | None:
        row = self._tables.idempotency
        try:
            with transient():
                found = row.get(user_id, key_id, consistent_read=True)
        except row.DoesNotExist:
            return None
        return IdempotencyKey(
            user_id=user_id,
            id=key_id,
            request_hash=found.request_hash,
            accepted=Generation.model_validate_json(found.accepted),
            expires_at=found.expires_at,
        )

    def due(self, shard: int, *, until: datetime, limit: int) -> list[Ref]:
        row = self._tables.generation
        with transient():
            found = row.due.query(shard, row.due_at <= until, limit=limit)
            return [Ref(item.user_id, item.id) for item in found]

    def put_off(self, ref: Ref, *, until: datetime) -> None:
        row = self._tables.generation
        try:
            with transient():
                self._tables.connection.update_item(
                    row.Meta.table_name,
                    ref.user_id,
                    ref.id,
                    actions=[row.due_at.set(until)],
                    condition=row.due_at.exists(),
                )
        except UpdateError as error:
            if not condition_failed(error):
                raise

    def remove(self, generation: Generation) -> None:
        row = self._tables.generation
        # A repeated request finds the row gone already: that is what it wanted.
        as_given = row.id.does_not_exist() | (row.version == generation.version)
        try:
            with transient():
                self._tables.connection.delete_item(
                    row.Meta.table_name, generation.user_id, generation.id, condition=as_given
                )
        except DeleteError as error:
            if condition_failed(error):
                raise Conflict({"generation"}) from error
            raise

    def _get_batch(self, keys: Sequence[Any]) -> list[Generation]:
        row = self._tables.generation
        found: list[Generation] = []
        for tried in range(_BATCH_TRIES):
            with transient():
                read = self._tables.connection.batch_get_item(row.Meta.table_name, keys, consistent_read=True)
            found += [
                generation_of(row.from_raw_data(item)) for item in read["Responses"][row.Meta.table_name]
            ]
            # What did not fit into the answer, or was throttled, is handed back.
            keys = read["UnprocessedKeys"].get(row.Meta.table_name, {}).get("Keys", [])
            if not keys:
                return found
            self._pause(jitter_s(_BATCH_WAIT_S, tried))
        raise Transient(f"DynamoDB: {len(keys)} keys left unread")
