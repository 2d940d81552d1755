"""Grant credits or change the plan: what operators, and later payments, do to an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from revela.domain import account as accounts
from revela.domain.account import Account, GrantSource
from revela.domain.change import AccountWrite, Change, GrantReceipt
from revela.domain.errors import Conflict, InvalidParam, InvalidRequest, Transient
from revela.domain.ledger import LedgerEntry
from revela.ports import Ports
from revela.usecases.contention import contended
from revela.usecases.moving import hand_over
from revela.usecases.open_account import open_account

CREDITS_MAX = 10**9


@dataclass(frozen=True)
class GrantCredits:
    """`reference` is the business key: the same one given twice changes nothing the second time.

    `plan` None keeps the plan; `credits` may be 0 to change the plan alone.
    """

    user_id: str
    reference: str
    credits: int = 0
    plan: str | None = None
    source: GrantSource = "operator"
    expires_at: datetime | None = None


def grant_credits(command: GrantCredits, *, ports: Ports) -> Account:
    """Return the account after it.

    Raises:
        InvalidRequest: no such plan, or an absurd number of credits.
    """
    if not 0 <= command.credits <= CREDITS_MAX:
        raise InvalidRequest(
            "invalid_request",
            invalid_params=[InvalidParam("credits", "out_of_range", {"minimum": 0, "maximum": CREDITS_MAX})],
        )
    plan = ports.catalog.plan(command.plan) if command.plan else None
    for _ in contended(ports):
        before = open_account(command.user_id, ports=ports)
        now = ports.clock.now()
        after = before.model_copy(update={"plan": plan.id if plan else before.plan, "updated_at": now})
        entries: tuple[LedgerEntry, ...] = ()
        if command.credits:
            new = accounts.new_grant(
                # Apart from the ids that plans give their grants, whatever an operator calls this one.
                f"grant:{command.reference}",
                command.source,
                command.credits,
                now=now,
                expires_at=command.expires_at,
            )
            after, entries = accounts.grant(after, new, cause=command.reference, now=now)
        try:
            ports.changes.commit(
                Change(
                    now=now,
                    account=AccountWrite(before, after),
                    entries=entries,
                    receipt=GrantReceipt(command.user_id, command.reference),
                )
            )
        except Conflict as conflict:
            if "receipt" in conflict.failed:
                return open_account(command.user_id, ports=ports)
            continue
        hand_over(command.user_id, ports=ports)
        return after
    raise Transient("the account was written by others for too long")
