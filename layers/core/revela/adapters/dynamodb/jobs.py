"""Rows of jobs by their keys, whatever their kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic

from pynamodb.exceptions import DeleteError, UpdateError

from revela.adapters.dynamodb.failures import condition_failed, jitter_s, transient
from revela.adapters.dynamodb.tables import JobRow, Tables
from revela.domain.errors import Conflict, Transient
from revela.domain.job import AnyJob
from revela.ports import Ref

# AWS: BatchGetItem takes at most 100 keys.
_BATCH = 100
_BATCH_TRIES = 6
_BATCH_WAIT_S = 0.05


def put_off(tables: Tables, row: type[Any], ref: Ref, until: datetime) -> None:
    """Let a row be due then; one that is due no more stays so."""
    try:
        with transient():
            tables.connection.update_item(
                row.Meta.table_name,
                ref.user_id,
                ref.id,
                actions=[row.due_at.set(until)],
                condition=row.due_at.exists(),
            )
    except UpdateError as error:
        if not condition_failed(error):
            raise


class DynamoJobs(Generic[AnyJob]):
    def __init__(
        self,
        tables: Tables,
        row: type[JobRow],
        job_of: Callable[[Any], AnyJob],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tables = tables
        self._row = row
        self._job_of = job_of
        self._pause = pause

    def get(self, ref: Ref) -> AnyJob | None:
        try:
            with transient():
                return self._job_of(self._row.get(ref.user_id, ref.id, consistent_read=True))
        except self._row.DoesNotExist:
            return None

    def get_many(self, refs: Sequence[Ref]) -> list[AnyJob]:
        wanted = [{"user_id": ref.user_id, "id": ref.id} for ref in dict.fromkeys(refs)]
        found: list[AnyJob] = []
        for start in range(0, len(wanted), _BATCH):
            found += self._get_batch(wanted[start : start + _BATCH])
        return found

    def remove(self, job: AnyJob) -> None:
        row = self._row
        # A repeated request finds the row gone already: that is what it wanted.
        as_given = row.id.does_not_exist() | (row.version == job.version)
        try:
            with transient():
                self._tables.connection.delete_item(
                    row.Meta.table_name, job.user_id, job.id, condition=as_given
                )
        except DeleteError as error:
            if condition_failed(error):
                raise Conflict({"job"}) from error
            raise

    def _get_batch(self, keys: Sequence[Any]) -> list[AnyJob]:
        row = self._row
        found: list[AnyJob] = []
        for tried in range(_BATCH_TRIES):
            with transient():
                read = self._tables.connection.batch_get_item(row.Meta.table_name, keys, consistent_read=True)
            found += [
                self._job_of(row.from_raw_data(item)) for item in read["Responses"][row.Meta.table_name]
            ]
            # What did not fit into the answer, or was throttled, is handed back.
            keys = read["UnprocessedKeys"].get(row.Meta.table_name, {}).get("Keys", [])
            if not keys:
                return found
            self._pause(jitter_s(_BATCH_WAIT_S, tried))
        raise Transient(f"DynamoDB: {len(keys)} keys left unread")
