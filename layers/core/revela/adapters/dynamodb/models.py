"""Personal models and their photos."""

from __future__ import annotations

import re
from datetime import datetime

from revela.adapters.dynamodb import cursor as cursors
from revela.adapters.dynamodb.failures import transient
from revela.adapters.dynamodb.jobs import put_off
from revela.adapters.dynamodb.mapping import model_of, photo_of
from revela.adapters.dynamodb.tables import Tables
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.photo import Photo
from revela.ports import ModelRef, Page, Ref

# With "#" it stands between a model's photos and trainings, which come first from behind, and the model.
_CURSOR = re.compile(r"mdl_[0-9A-Za-z]{1,40}#?")
# A model's photos and trainings lie between it and the next one: so many rows are read at a time.
_READ = 500
_ROUNDS = 10


class DynamoModels:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, ref: ModelRef) -> PersonalModel | None:
        row = self._tables.model
        try:
            with transient():
                return model_of(row.get(ref.user_id, ref.id, consistent_read=True))
        except row.DoesNotExist:
            return None

    def page(self, user_id: str, *, limit: int, cursor: str | None) -> Page[PersonalModel]:
        row = self._tables.model
        start = None
        if cursor is not None:
            start = {"user_id": {"S": user_id}, "id": {"S": cursors.decoded(cursor, _CURSOR)}}
        found: list[PersonalModel] = []
        for _ in range(_ROUNDS):
            with transient():
                read = self._tables.connection.query(
                    row.Meta.table_name,
                    user_id,
                    row.id.startswith("mdl_"),
                    consistent_read=True,
                    filter_condition=row.consent.exists() & (row.state != ModelState.DELETING.value),
                    scan_index_forward=False,
                    exclusive_start_key=start,
                    limit=_READ,
                )
            found += [model_of(row.from_raw_data(item)) for item in read["Items"]]
            start = read.get("LastEvaluatedKey")
            if len(found) > limit or start is None:
                break
        if len(found) > limit:
            return Page(found[:limit], cursors.encoded(found[limit - 1].id))
        last = cursors.encoded("".join(start["id"]["S"].partition("#")[:2])) if start else None
        return Page(found, last)

    def due(self, shard: int, *, until: datetime, limit: int) -> list[Ref]:
        row = self._tables.model
        with transient():
            found = row.due.query(shard, row.due_at <= until, limit=limit)
            return [Ref(item.user_id, item.id) for item in found]

    def put_off(self, ref: Ref, *, until: datetime) -> None:
        put_off(self._tables, self._tables.model, ref, until)


class DynamoPhotos:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, model: ModelRef, photo_id: str) -> Photo | None:
        row = self._tables.photo
        try:
            with transient():
                return photo_of(row.get(model.user_id, f"{model.id}#{photo_id}", consistent_read=True))
        except row.DoesNotExist:
            return None

    def of(self, model: ModelRef) -> list[Photo]:
        row = self._tables.photo
        with transient():
            found = row.query(model.user_id, row.id.startswith(f"{model.id}#pho_"), consistent_read=True)
            return [photo_of(item) for item in found]
