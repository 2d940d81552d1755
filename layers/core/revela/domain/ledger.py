"""The ledger: entries are written once, in order, and never change.

`account_id` is opaque, so that entries may outlive a user's erasure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class EntryKind(StrEnum):
    GRANT = "grant"
    CAPTURE = "capture"
    EXPIRE = "expire"
    ADJUST = "adjust"
    VOID = "void"


class LedgerEntry(BaseModel):
    """`credits` is signed; `balance` is available + held after the entry."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    number: int
    kind: EntryKind
    credits: int
    balance: int
    cause: str
    price_version: str | None = None
    created_at: datetime


def fold(entries: Iterable[LedgerEntry]) -> tuple[int, int]:
    """Return (available + held, spent) as the entries alone tell it."""
    balance = spent = 0
    for entry in entries:
        balance += entry.credits
        if entry.kind is EntryKind.CAPTURE:
            spent -= entry.credits
    return balance, spent
