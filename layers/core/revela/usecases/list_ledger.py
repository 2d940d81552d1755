"""List an account's ledger entries, newest first: every credit that came or went, and why."""

from __future__ import annotations

from dataclasses import dataclass

from revela.domain.ledger import LedgerEntry
from revela.ports import Page, Ports
from revela.usecases.open_account import open_account


@dataclass(frozen=True)
class ListLedger:
    user_id: str
    limit: int
    cursor: str | None = None


def list_ledger(command: ListLedger, *, ports: Ports) -> Page[LedgerEntry]:
    """Return a page of the user's entries. Raises InvalidRequest on a bad cursor."""
    account = open_account(command.user_id, ports=ports)
    return ports.accounts.ledger(account.account_id, limit=command.limit, cursor=command.cursor)
