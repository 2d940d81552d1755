"""Show a user's account: what it may still spend and do today. The first look opens it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from revela.domain import account as accounts
from revela.domain.account import Account, Suspension
from revela.domain.plans import Plan
from revela.ports import Ports
from revela.usecases.open_account import open_account


@dataclass(frozen=True)
class AccountView:
    """`images_today` counts what was asked for since midnight UTC, less what was not delivered.

    `cancels_today` counts the cancels of jobs that were running, `blocks_today` images that were blocked,
    `strikes_today` what counts against the user: one more than `strikes_per_day` suspends the account.
    `suspension` is None once it is over.
    """

    account: Account
    plan: Plan
    images_today: int
    cancels_today: int
    blocks_today: int
    strikes_today: int
    strikes_per_day: int
    suspension: Suspension | None
    day_ends_at: datetime
    day_ends_in_s: int


def show_account(user_id: str, *, ports: Ports) -> AccountView:
    """Return the account as the next request would find it.

    Lapsed grants are left out already, though the next hold is what writes them off.
    """
    account = open_account(user_id, ports=ports)
    return view(accounts.expire(account, now=ports.clock.now()).account, ports=ports)


def view(account: Account, *, ports: Ports) -> AccountView:
    now = ports.clock.now()
    day_ends_at = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    today = account.day == now.date()
    return AccountView(
        account=account,
        plan=ports.catalog.plan(account.plan),
        images_today=account.images_today if today else 0,
        cancels_today=account.cancels_today if today else 0,
        blocks_today=account.blocks_today if today else 0,
        strikes_today=account.strikes_today if today else 0,
        strikes_per_day=ports.policies.strikes_per_day,
        suspension=account.suspension if accounts.suspended(account, now) else None,
        day_ends_at=day_ends_at,
        day_ends_in_s=math.ceil((day_ends_at - now).total_seconds()),
    )
