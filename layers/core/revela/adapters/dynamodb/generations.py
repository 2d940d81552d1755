from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime

from pynamodb.expressions.condition import Condition

from revela.adapters.dynamodb import cursor as cursors
from revela.adapters.dynamodb.failures import transient
from revela.adapters.dynamodb.jobs import DynamoJobs, put_off
from revela.adapters.dynamodb.mapping import generation_of, job_of_json
from revela.adapters.dynamodb.tables import GenerationRow, Tables
from revela.domain.change import IdempotencyKey
from revela.domain.generation import Generation
from revela.domain.job import LIVE, State
from revela.ports import ModelRef, Page, Ref

# Sort keys of generations lie between these; pointers and idempotency keys share the partition.
_FIRST, _LAST = "gen_", "gen_~"
_CURSOR = re.compile(r"gen_[0-9A-Za-z]{1,40}")
# A filter reads more than it returns: so many rows at a time, and so many times before a page ends short.
_FILTERED_READ = 100
_ROUNDS = 10


class DynamoGenerations(DynamoJobs[Generation]):
    def __init__(self, tables: Tables, *, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(tables, tables.generation, generation_of, pause=pause)

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

    def live_of(self, model: ModelRef) -> list[Generation]:
        row, found, start = self._tables.generation, [], None
        while True:
            with transient():
                read = self._tables.connection.query(
                    row.Meta.table_name,
                    model.user_id,
                    row.id.between(_FIRST, _LAST),
                    # In one pass: a row that moves from state to state meanwhile is seen in either.
                    filter_condition=(row.model == model.id) & row.state.is_in(*sorted(LIVE)),
                    consistent_read=True,
                    exclusive_start_key=start,
                )
            found += [generation_of(row.from_raw_data(item)) for item in read["Items"]]
            start = read.get("LastEvaluatedKey")
            if start is None:
                return found

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
            accepted=job_of_json(found.accepted),
            expires_at=found.expires_at,
        )

    def due(self, shard: int, *, until: datetime, limit: int) -> list[Ref]:
        row = self._tables.generation
        with transient():
            found = row.due.query(shard, row.due_at <= until, limit=limit)
            return [Ref(item.user_id, item.id) for item in found]

    def put_off(self, ref: Ref, *, until: datetime) -> None:
        put_off(self._tables, self._tables.generation, ref, until)
