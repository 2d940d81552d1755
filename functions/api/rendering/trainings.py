"""Trainings, and what is advised of them, as they are shown."""

from __future__ import annotations

from datetime import datetime, timedelta

from api import schemas
from api.rendering import photos
from api.rendering.generations import job_credits
from revela.domain.catalog import Catalog
from revela.domain.job import State
from revela.domain.messages import Language, text
from revela.domain.training import Training
from revela.domain.training_advice import CheaperTraining, Quote, TrainingRemark
from revela.domain.training_messages import TRAINING_ADVICE, TRAINING_FAILURES, TRAINING_REMEDIES
from revela.ports import Page
from revela.usecases.advise_training import AdviceView

# Depends on the state alone: a body may only change when its entity tag does.
POLL_AFTER_S = {
    State.WAITING: 10,
    State.QUEUED: 5,
    State.STARTING: 5,
    State.PROCESSING: 15,
    State.SAVING: 5,
}


def training(row: Training, catalog: Catalog, language: Language) -> schemas.Training:
    expected_s = _expected_s(row, catalog)
    return schemas.Training(
        id=row.training_id,
        model=row.model_id,
        status=row.state.value,
        trainer=row.trainer,
        params=schemas.TrainingParams(**row.params),
        photos=len(row.photos),
        credits=job_credits(row),
        expected_minutes=None if expected_s is None else -(-expected_s // 60),
        progress=schemas.TrainingProgress(
            percent=percent(row), left_s=_left_s(row), ends_at=_ends_at(row, expected_s)
        ),
        cancel_requested=row.cancel_requested_at is not None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        poll_after_s=poll_after_s(row),
        error=_failure(row, language),
    )


def training_page(page: Page[Training], catalog: Catalog, language: Language) -> schemas.TrainingPage:
    return schemas.TrainingPage(
        items=[training(row, catalog, language) for row in page.items], cursor=page.cursor
    )


def poll_after_s(row: Training) -> int | None:
    return POLL_AFTER_S.get(row.state)


def percent(row: Training) -> int:
    """Return how far it is: whole only when its version is recorded."""
    match row.state:
        case State.SUCCEEDED:
            return 100
        case State.SAVING:
            return 99
        case State.WAITING | State.QUEUED | State.STARTING:
            # What an attempt before this one came to counts no more.
            return 0
        case _:
            return row.progress_percent or 0


def advice(view: AdviceView, language: Language) -> schemas.TrainingAdvice:
    advised = view.advice
    return schemas.TrainingAdvice(
        **_quote(advised.quote).model_dump(),
        reasons=[_remark(one, language) for one in advised.reasons],
        warnings=[_remark(one, language) for one in advised.warnings],
        cheaper=_cheaper(advised.cheaper, language) if advised.cheaper else None,
        credits_available=view.available_credits,
        photos=photos.report(view.photos, language),
    )


def _expected_s(row: Training, catalog: Catalog) -> int | None:
    # A row outlives its trainer's place in the catalog.
    trainer = next((one for one in catalog.trainers if one.id == row.trainer), None)
    return trainer.expected_s(row.params) if trainer else None


def _left_s(row: Training) -> int | None:
    return row.left_s if row.state is State.PROCESSING else None


def _ends_at(row: Training, expected_s: int | None) -> datetime | None:
    """Tell by the trainer's own word, or before it has given any by how long such trainings take."""
    if row.state is not State.PROCESSING:
        return None
    if row.left_s is not None:
        return row.updated_at + timedelta(seconds=row.left_s)
    if row.started_at is not None and expected_s is not None:
        return row.started_at + timedelta(seconds=expected_s)
    return None


def _failure(row: Training, language: Language) -> schemas.TrainingFailure | None:
    if row.failure is None:
        return None
    code = row.failure.code
    return schemas.TrainingFailure(
        code=code,
        message=text(TRAINING_FAILURES, code, language),
        advice=text(TRAINING_REMEDIES, code, language),
    )


def _quote(quote: Quote) -> schemas.TrainingQuote:
    return schemas.TrainingQuote(
        trainer=quote.trainer_id,
        params=schemas.TrainingParams(**quote.params),
        credits=quote.credits,
        provider_cost_micro_usd=quote.provider_cost_micro_usd,
        expected_minutes=quote.minutes,
    )


def _cheaper(cheaper: CheaperTraining, language: Language) -> schemas.CheaperTraining:
    return schemas.CheaperTraining(
        **_quote(cheaper.quote).model_dump(), gives_up=[_remark(one, language) for one in cheaper.gives_up]
    )


def _remark(remark: TrainingRemark, language: Language) -> schemas.AdviceRemark:
    return schemas.AdviceRemark(
        code=remark.code,
        sentence=text(TRAINING_ADVICE, remark.code, language, remark.args),
        parameter=remark.parameter,
    )
