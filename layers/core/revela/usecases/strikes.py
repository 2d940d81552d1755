"""What is refused counts against its user; too much of it in a day suspends the account."""

from __future__ import annotations

from revela.domain import account as accounts
from revela.domain.account import Account
from revela.domain.change import AccountWrite, Change
from revela.domain.errors import Conflict, Transient
from revela.ports import Ports
from revela.usecases.contention import contended
from revela.usecases.open_account import open_account


def standing_account(user_id: str, *, ports: Ports) -> Account:
    """Return the account of somebody who may ask for something, opened if need be. Raises Suspended."""
    account = open_account(user_id, ports=ports)
    accounts.require_standing(account, ports.clock.now())
    return account


def count_strike(user_id: str, *, ports: Ports) -> None:
    """Count a refused prompt. Raises Transient when the account cannot be written."""
    for _ in contended(ports):
        account = open_account(user_id, ports=ports)
        now = ports.clock.now()
        after = accounts.strike(account, limit=ports.policies.strikes_per_day, now=now)
        try:
            ports.changes.commit(Change(now=now, account=AccountWrite(account, after)))
        except Conflict:
            continue
        tell_of_suspension(account, after, ports=ports)
        return
    raise Transient("the account was written by others for too long")


def tell_of_suspension(before: Account, after: Account, *, ports: Ports) -> None:
    """Tell operators when a strike was one too many."""
    if after.suspension is not None and after.suspension != before.suspension:
        ports.telemetry.count("AccountsSuspended")
        ports.telemetry.warning(
            "account_suspended",
            user_id=after.user_id,
            reason=after.suspension.reason,
            until=after.suspension.until.isoformat(),
        )
