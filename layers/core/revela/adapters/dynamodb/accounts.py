from __future__ import annotations

import re

from revela.adapters.dynamodb import cursor as cursors
from revela.adapters.dynamodb.failures import transient
from revela.adapters.dynamodb.mapping import account_of, entry_of
from revela.adapters.dynamodb.tables import ACCOUNT_ID, Tables
from revela.domain.account import Account
from revela.domain.ledger import LedgerEntry
from revela.ports import Page

_CURSOR = re.compile(r"entry#[0-9]{12}")


class DynamoAccounts:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, user_id: str) -> Account | None:
        row = self._tables.account
        try:
            with transient():
                return account_of(row.get(user_id, ACCOUNT_ID, consistent_read=True))
        except row.DoesNotExist:
            return None

    def ledger(self, account_id: str, *, limit: int, cursor: str | None) -> Page[LedgerEntry]:
        start = None
        if cursor is not None:
            start = {"account_id": {"S": account_id}, "id": {"S": cursors.decoded(cursor, _CURSOR)}}
        row = self._tables.entry
        with transient():
            # One more than asked for tells whether there is a next page.
            rows = list(
                row.query(
                    account_id,
                    row.id.startswith("entry#"),
                    consistent_read=True,
                    scan_index_forward=False,
                    last_evaluated_key=start,
                    limit=limit + 1,
                )
            )
        more = len(rows) > limit
        return Page(
            [entry_of(r) for r in rows[:limit]], cursors.encoded(rows[limit - 1].id) if more else None
        )
