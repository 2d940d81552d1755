"""Accounts, plans and ledgers as they are shown."""

from __future__ import annotations

from api import schemas
from revela.domain import ledger, messages, plans
from revela.domain.account import Suspension
from revela.ports import Page
from revela.usecases.show_account import AccountView


def account(view: AccountView, language: messages.Language) -> schemas.Account:
    shown = view.account
    return schemas.Account(
        plan=plan(view.plan, language),
        credits=schemas.Credits(available=shown.available, held=shown.held, spent=shown.spent),
        grants=[
            schemas.Grant(
                id=grant.id,
                source=grant.source,
                remaining=grant.remaining,
                granted_at=grant.granted_at,
                expires_at=grant.expires_at,
            )
            for grant in shown.grants
            if grant.remaining
        ],
        running=shown.running,
        waiting=shown.waiting,
        trainings=shown.trainings,
        images_today=schemas.OfToday(
            used=view.images_today, limit=view.plan.images_per_day, resets_at=view.day_ends_at
        ),
        cancels_today=schemas.OfToday(
            used=view.cancels_today, limit=view.plan.free_cancels_per_day, resets_at=view.day_ends_at
        ),
        blocks_today=schemas.OfToday(
            used=view.blocks_today, limit=view.plan.free_blocks_per_day, resets_at=view.day_ends_at
        ),
        strikes_today=schemas.OfToday(
            used=view.strikes_today, limit=view.strikes_per_day, resets_at=view.day_ends_at
        ),
        suspension=_suspension(view.suspension, language) if view.suspension else None,
        created_at=shown.created_at,
    )


def ledger_page(page: Page[ledger.LedgerEntry]) -> schemas.LedgerPage:
    return schemas.LedgerPage(
        items=[
            schemas.LedgerEntry(
                number=entry.number,
                kind=entry.kind.value,
                credits=entry.credits,
                balance=entry.balance,
                cause=entry.cause,
                price_version=entry.price_version,
                created_at=entry.created_at,
            )
            for entry in page.items
        ],
        cursor=page.cursor,
    )


def plan(offered: plans.Plan, language: messages.Language) -> schemas.Plan:
    return schemas.Plan(
        id=offered.id,
        name=offered.name[language],
        credits=offered.credits,
        monthly=offered.monthly,
        limits=schemas.PlanLimits(
            jobs_at_once=offered.jobs_at_once,
            jobs_waiting=offered.jobs_waiting,
            images_per_request=offered.images_per_request,
            images_per_day=offered.images_per_day,
            free_cancels_per_day=offered.free_cancels_per_day,
            free_blocks_per_day=offered.free_blocks_per_day,
            trainings_at_once=offered.trainings_at_once,
            models_kept=offered.models_kept,
        ),
    )


def _suspension(found: Suspension, language: messages.Language) -> schemas.Suspension:
    # The sentence that requests are refused with meanwhile.
    until = {"until": found.spoken_until}
    return schemas.Suspension(
        reason=found.reason,
        sentence=messages.text(messages.ERRORS, "account_suspended", language, until),
        since=found.since,
        until=found.until,
    )
