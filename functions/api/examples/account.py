"""Accounts, and the service itself."""

from __future__ import annotations

from datetime import UTC, datetime

from api import schemas
from api.examples.generations import COMPLETED_AT, CREATED_AT, GENERATION_ID

ACCOUNT = schemas.Account(
    plan=schemas.Plan(
        id="free",
        name="Free",
        credits=20,
        monthly=False,
        limits=schemas.PlanLimits(
            jobs_at_once=1,
            jobs_waiting=5,
            images_per_request=2,
            images_per_day=10,
            free_cancels_per_day=3,
            free_blocks_per_day=3,
            trainings_at_once=0,
            models_kept=0,
        ),
    ),
    credits=schemas.Credits(available=14, held=3, spent=3),
    grants=[
        schemas.Grant(id="plan:free", source="plan", remaining=14, granted_at=CREATED_AT, expires_at=None)
    ],
    running=1,
    waiting=0,
    trainings=0,
    images_today=schemas.OfToday(used=2, limit=10, resets_at=datetime(2026, 3, 3, tzinfo=UTC)),
    cancels_today=schemas.OfToday(used=0, limit=3, resets_at=datetime(2026, 3, 3, tzinfo=UTC)),
    blocks_today=schemas.OfToday(used=1, limit=3, resets_at=datetime(2026, 3, 3, tzinfo=UTC)),
    strikes_today=schemas.OfToday(used=1, limit=10, resets_at=datetime(2026, 3, 3, tzinfo=UTC)),
    suspension=None,
    created_at=CREATED_AT,
)

LEDGER = schemas.LedgerPage(
    items=[
        schemas.LedgerEntry(
            number=2,
            kind="capture",
            credits=-3,
            balance=17,
            cause=GENERATION_ID,
            price_version="2026-11-1",
            created_at=COMPLETED_AT,
        ),
        schemas.LedgerEntry(
            number=1,
            kind="grant",
            credits=20,
            balance=20,
            cause="opened",
            price_version=None,
            created_at=CREATED_AT,
        ),
    ],
    cursor=None,
)

HEALTH = schemas.Health(status="ok", version="0.1.0")
