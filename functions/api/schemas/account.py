"""An account over the wire: plan, credits, and the ledger."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.wire import Time, Wire


class PlanLimits(Wire):
    jobs_at_once: int
    jobs_waiting: int
    images_per_request: int
    images_per_day: int
    free_cancels_per_day: int
    free_blocks_per_day: int
    trainings_at_once: int
    models_kept: int


class Plan(Wire):
    """`credits` come every month when `monthly`, else once."""

    id: str
    name: str
    credits: int
    monthly: bool
    limits: PlanLimits


class Credits(Wire):
    """Whole credits: free to use, held for what is under way, spent on what was delivered."""

    available: int
    held: int
    spent: int


class Grant(Wire):
    """Credits that came together and lapse together; never, when `expires_at` is null."""

    id: str
    source: Literal["plan", "pack", "promotion", "operator"]
    remaining: int
    granted_at: Time
    expires_at: Time | None


class OfToday(Wire):
    """What a day allows, and how much of it was used since midnight UTC."""

    used: int
    limit: int
    resets_at: Time


class Suspension(Wire):
    """Nothing can be asked for before `until`; what there is can be looked at, appealed and deleted."""

    reason: Literal["too_many_refusals"]
    sentence: str
    since: Time
    until: Time


class Account(Wire):
    plan: Plan
    credits: Credits
    grants: list[Grant] = Field(description="Those with credits left.")
    running: int = Field(description="Generations that are being made.")
    waiting: int = Field(description="Generations in line.")
    trainings: int = Field(description="Trainings that are under way.")
    images_today: OfToday = Field(description="Images asked for, less those that were not delivered.")
    cancels_today: OfToday = Field(
        description="Cancels of what was already being made: free up to the limit, charged beyond it."
    )
    blocks_today: OfToday = Field(
        description="Images that the safety check held back: free up to the limit, charged beyond it."
    )
    strikes_today: OfToday = Field(
        description="Refused prompts, and generations with blocked images: one more than the limit suspends "
        "the account."
    )
    suspension: Suspension | None = Field(description="Null once it is over.")
    created_at: Time


class LedgerEntry(Wire):
    """`credits` is signed; `balance` is available + held after the entry; `cause` names a job or a grant."""

    number: int
    kind: Literal["grant", "capture", "expire", "adjust", "void"]
    credits: int
    balance: int
    cause: str
    price_version: str | None
    created_at: Time


class LedgerPage(Wire):
    """Newest first."""

    items: list[LedgerEntry]
    cursor: str | None = Field(description="Opaque; null on the last page.")
