"""From what use cases answer to what goes over the wire. Equal input gives equal bytes."""

from __future__ import annotations

from api import schemas
from revela.domain import catalog, ledger, messages, plans
from revela.domain.generation import Generation, Output
from revela.domain.job import State
from revela.ports import Page
from revela.usecases.show_account import AccountView
from revela.usecases.show_generation import GenerationView

# Depends on the state alone: a body may only change when its entity tag does.
POLL_AFTER_S = {
    State.WAITING: 5,
    State.QUEUED: 2,
    State.STARTING: 2,
    State.PROCESSING: 2,
    State.SAVING: 1,
}


def generation(view: GenerationView, language: messages.Language) -> schemas.Generation:
    row = view.generation
    return schemas.Generation(
        id=row.id,
        status=row.state.value,  # a row that is being deleted is never shown
        model=row.model,
        params=schemas.GenerationParams(**row.params),
        credits=schemas.GenerationCredits(
            estimated=row.credits_held,
            held=0 if row.settled else row.credits_held,
            charged=row.credits_charged,
            refunded=row.credits_refunded,
        ),
        cancel_requested=row.cancel_requested_at is not None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        poll_after_s=poll_after_s(row),
        outputs=[_output(output, view) for output in row.outputs],
        error=_failure(row, language),
    )


def poll_after_s(row: Generation) -> int | None:
    return POLL_AFTER_S.get(row.state)


def generation_page(page: Page[GenerationView], language: messages.Language) -> schemas.GenerationPage:
    return schemas.GenerationPage(
        items=[generation(view, language) for view in page.items], cursor=page.cursor
    )


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
        images_today=schemas.OfToday(
            used=view.images_today, limit=view.plan.images_per_day, resets_at=view.day_ends_at
        ),
        cancels_today=schemas.OfToday(
            used=view.cancels_today, limit=view.plan.free_cancels_per_day, resets_at=view.day_ends_at
        ),
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


def whole_catalog(offered: catalog.Catalog, language: messages.Language) -> schemas.Catalog:
    return schemas.Catalog(
        price_version=offered.price_version,
        models=[_catalog_model(model, language) for model in offered.models],
        plans=[plan(p, language) for p in offered.plans if p.public],
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
        ),
    )


def _output(output: Output, view: GenerationView) -> schemas.Output:
    assert view.urls_expire_at is not None
    return schemas.Output(
        index=output.index,
        url=view.urls[output.key],
        thumbnail_url=view.urls[output.thumbnail_key],
        expires_at=view.urls_expire_at,
        content_type=output.content_type,
        width=output.width,
        height=output.height,
        size_bytes=output.size_bytes,
        sha256=output.sha256,
        thumbnail_width=output.thumbnail_width,
        thumbnail_height=output.thumbnail_height,
    )


def _failure(row: Generation, language: messages.Language) -> schemas.Failure | None:
    if row.failure is None:
        return None
    code = row.failure.code
    return schemas.Failure(code=code, message=messages.text(messages.FAILURES, code, language))


def _catalog_model(model: catalog.CatalogModel, language: messages.Language) -> schemas.CatalogModel:
    sizes = model.sizes
    named = {name: schemas.Size(width=w, height=h) for name, (w, h) in sizes.ratios.items()}
    return schemas.CatalogModel(
        id=model.id,
        name=model.name,
        description=model.description[language],
        licence=schemas.Licence(name=model.licence.name, note=model.licence.note[language]),
        reproducible=model.reproducible,
        credits_per_image=model.credits_per_image,
        sizes=schemas.Sizes(
            default=named["1:1"],
            aspect_ratios=named,
            pixels=schemas.PixelRange(minimum=sizes.minimum, maximum=sizes.maximum, step=sizes.step)
            if sizes.minimum is not None and sizes.maximum is not None and sizes.step is not None
            else None,
        ),
        parameters={
            name: schemas.Parameter(
                type=parameter.type,
                required=parameter.required,
                default=parameter.default,
                minimum=parameter.minimum,
                maximum=parameter.maximum,
                allowed=list(parameter.enum) or None,
                min_length=parameter.min_length,
                max_length=parameter.max_length,
            )
            for name, parameter in model.parameters.items()
        },
    )
