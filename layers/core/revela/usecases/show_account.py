"""Show a user's account: what it may still spend and do today. The first look opens it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from revela.domain import account as accounts
from revela.domain.account import Account
from revela.domain.plans import Plan
from revela.ports import Ports
from revela.usecases.open_account import open_account


@dataclass(frozen=True)
class AccountView:
    """`images_today` counts what was asked for since midnight UTC, less what was not delivered."""

    account: Account
    plan: Plan
    images_today: int
    day_ends_at: datetime


def show_account(user_id: str, *, ports: Ports) -> AccountView:
    """Return the account as the next request would find it.

    Lapsed grants are left out already, though the next hold is what writes them off.
    """
    now = ports.clock.now()
    account = accounts.expire(open_account(user_id, ports=ports), now=now).account
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return AccountView(
        account=account,
        plan=ports.catalog.plan(account.plan),
        images_today=account.images_today if account.day == now.date() else 0,
        day_ends_at=midnight + timedelta(days=1),
    )
