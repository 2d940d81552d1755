from __future__ import annotations

import re
import time
from collections.abc import Callable

from revela.adapters.dynamodb import cursor as cursors
from revela.adapters.dynamodb.failures import transient
from revela.adapters.dynamodb.jobs import DynamoJobs
from revela.adapters.dynamodb.mapping import training_of
from revela.adapters.dynamodb.tables import Tables
from revela.domain.training import Training
from revela.ports import ModelRef, Page

_CURSOR = re.compile(r"trn_[0-9A-Za-z]{1,40}")


class DynamoTrainings(DynamoJobs[Training]):
    def __init__(self, tables: Tables, *, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(tables, tables.training, training_of, pause=pause)

    def page(self, model: ModelRef, *, limit: int, cursor: str | None) -> Page[Training]:
        row, prefix = self._tables.training, f"{model.id}#"
        start = None
        if cursor is not None:
            id_ = f"{prefix}{cursors.decoded(cursor, _CURSOR)}"
            start = {"user_id": {"S": model.user_id}, "id": {"S": id_}}
        with transient():
            read = self._tables.connection.query(
                row.Meta.table_name,
                model.user_id,
                row.id.startswith(f"{prefix}trn_"),
                consistent_read=True,
                scan_index_forward=False,
                exclusive_start_key=start,
                limit=limit + 1,
            )
        found = [training_of(row.from_raw_data(item)) for item in read["Items"]]
        more = len(found) > limit
        return Page(found[:limit], cursors.encoded(found[limit - 1].training_id) if more else None)
