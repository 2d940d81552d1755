"""Lift a suspension: an operator's word that it was a mistake."""

from __future__ import annotations

from revela.domain import account as accounts
from revela.domain.account import Account
from revela.domain.change import AccountWrite, Change
from revela.domain.errors import Conflict, NotFound, NotNow
from revela.ports import Ports
from revela.usecases.contention import contended


def lift_suspension(user_id: str, *, ports: Ports) -> Account:
    """Return the account, which is as if it had not been suspended; asking again changes nothing.

    Raises:
        NotFound: there is no such account.
        NotNow: others wrote it for too long.
    """
    for _ in contended(ports):
        account = ports.accounts.get(user_id)
        if account is None:
            raise NotFound("not_found")
        now = ports.clock.now()
        after = accounts.lift(account, now=now)
        if after is account:
            return account
        try:
            ports.changes.commit(Change(now=now, account=AccountWrite(account, after)))
        except Conflict:
            continue
        ports.telemetry.info("suspension_lifted", user_id=user_id)
        return after
    raise NotNow("write_conflict")
