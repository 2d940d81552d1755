"""Generations as they are shown."""

from __future__ import annotations

from api import schemas
from revela.domain import messages
from revela.domain.generation import Blocked, Generation, Output
from revela.domain.job import Failure, Job, State
from revela.domain.judgement import HARM_CATEGORIES, HarmCategory
from revela.ports import Page
from revela.usecases.show_generation import GenerationView

# Depends on the state alone: a body may only change when its entity tag does.
POLL_AFTER_S = {
    State.WAITING: 5,
    State.QUEUED: 2,
    State.STARTING: 2,
    State.PROCESSING: 2,
    State.SAVING: 1,
    State.JUDGING: 2,
}


def generation(view: GenerationView, language: messages.Language) -> schemas.Generation:
    row = view.generation
    return schemas.Generation(
        id=row.id,
        status=row.state.value,  # a row that is being deleted is never shown
        model=row.model,
        model_version=row.own.version_id if row.own else None,
        params=schemas.GenerationParams(**row.params),
        credits=job_credits(row),
        cancel_requested=row.cancel_requested_at is not None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        poll_after_s=poll_after_s(row),
        outputs=[_output(output, view) for output in row.outputs],
        blocked=[_blocked(image, language) for image in row.blocked],
        appeal=schemas.Appeal(appealed_at=row.appeal.appealed_at, reason=row.appeal.reason)
        if row.appeal
        else None,
        error=_failure(row, language),
    )


def poll_after_s(row: Generation) -> int | None:
    return POLL_AFTER_S.get(row.state)


def generation_page(page: Page[GenerationView], language: messages.Language) -> schemas.GenerationPage:
    return schemas.GenerationPage(
        items=[generation(view, language) for view in page.items], cursor=page.cursor
    )


def job_credits(row: Job) -> schemas.JobCredits:
    return schemas.JobCredits(
        estimated=row.credits_held,
        held=0 if row.settled else row.credits_held,
        charged=row.credits_charged,
        refunded=row.credits_refunded,
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


def _blocked(image: Blocked, language: messages.Language) -> schemas.Blocked:
    """Nothing that leads to the image: its key is for whoever hears an appeal."""
    return schemas.Blocked(
        index=image.index,
        category=image.category,
        reason=messages.text(messages.BLOCKS, image.category, language),
        appealable_until=image.appealable_until,
    )


def _failure(row: Generation, language: messages.Language) -> schemas.Failure | None:
    if row.failure is None:
        return None
    code, category = row.failure.code, _harm(row.failure)
    if category in messages.PROMPT_FAILURES:
        message = messages.text(messages.PROMPT_FAILURES, category, language)
    elif row.credits_charged and code in messages.CHARGED_FAILURES:
        # The other texts say that nothing was charged.
        message = messages.text(messages.CHARGED_FAILURES, code, language)
    else:
        message = messages.text(messages.FAILURES, code, language)
    return schemas.Failure(code=code, message=message, category=category)


def _harm(failure: Failure) -> HarmCategory | None:
    named = failure.detail if failure.code == "prompt_moderated" else None
    return next((category for category in HARM_CATEGORIES if category == named), None)
