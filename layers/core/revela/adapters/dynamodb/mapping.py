"""Between the domain's models and the tables' items. A field that is None is absent from its item."""

from __future__ import annotations

import zlib
from typing import Any

from revela.adapters.dynamodb.tables import AccountRow, EntryRow, GenerationRow, Tables
from revela.domain.account import Account
from revela.domain.generation import Generation
from revela.domain.ledger import LedgerEntry
from revela.domain.policy import DUE_SHARDS

_GENERATION_DOCUMENTS = {"params", "held_from", "outputs", "failure"}
_ACCOUNT_DOCUMENTS = {"grants", "day"}


def generation_row(tables: Tables, generation: Generation, *, write_id: str) -> GenerationRow:
    values = _values(generation, _GENERATION_DOCUMENTS)
    if generation.due_at is not None:
        values["due_shard"] = due_shard(generation.id)
    return tables.generation(write_id=write_id, **values)


def generation_of(row: GenerationRow) -> Generation:
    return Generation.model_validate(row.attribute_values)


def account_row(tables: Tables, account: Account, *, write_id: str) -> AccountRow:
    return tables.account(write_id=write_id, **_values(account, _ACCOUNT_DOCUMENTS))


def account_of(row: AccountRow) -> Account:
    return Account.model_validate(row.attribute_values)


def entry_id(number: int) -> str:
    return f"entry#{number:012d}"


def entry_row(tables: Tables, entry: LedgerEntry, *, write_id: str) -> EntryRow:
    return tables.entry(write_id=write_id, id=entry_id(entry.number), **_values(entry, set()))


def entry_of(row: EntryRow) -> LedgerEntry:
    return LedgerEntry.model_validate(row.attribute_values)


def due_shard(generation_id: str) -> int:
    """Spread what is due over partitions of the index; the same id is always found in the same one."""
    return zlib.crc32(generation_id.encode()) % DUE_SHARDS


def _values(model: Generation | Account | LedgerEntry, documents: set[str]) -> dict[str, Any]:
    """Return the fields that are set: times as they are, documents as JSON values."""
    plain = model.model_dump(exclude_none=True, exclude=documents)
    return plain | model.model_dump(mode="json", exclude_none=True, include=documents)
