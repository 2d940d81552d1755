"""Open a user's account: on the free plan, with its credits, exactly once."""

from __future__ import annotations

from revela.domain import account as accounts
from revela.domain.account import Account
from revela.domain.change import AccountWrite, Change
from revela.domain.errors import Conflict, Transient
from revela.ports import Ports

FIRST_PLAN = "free"


def open_account(user_id: str, *, ports: Ports) -> Account:
    """Return the user's account, opening it if there is none."""
    if found := ports.accounts.get(user_id):
        return found
    now = ports.clock.now()
    posting = accounts.open_account(
        user_id=user_id,
        account_id=ports.entropy.new_id("acc", now=now),
        plan=ports.catalog.plan(FIRST_PLAN),
        now=now,
    )
    try:
        ports.changes.commit(
            Change(now=now, account=AccountWrite(None, posting.account), entries=posting.entries)
        )
    except Conflict:
        found = ports.accounts.get(user_id)
        if found is None:
            raise Transient("an account that was just opened cannot be read") from None
        return found
    ports.telemetry.count("AccountsOpened")
    return posting.account
