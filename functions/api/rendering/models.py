"""Personal models as they are shown."""

from __future__ import annotations

from api import schemas
from api.rendering import photos, trainings
from revela.domain import messages
from revela.domain.model_steps import NextStep
from revela.domain.personal_model import PersonalModel
from revela.ports import Page
from revela.usecases.show_model import ModelView

# Deletions are carried on once a minute.
POLL_AFTER_S = {
    NextStep.WAIT_FOR_CHECKS: 2,
    NextStep.WAIT_FOR_TRAINING: 15,
    NextStep.WAIT_FOR_DELETION: 30,
}


def model(view: ModelView, language: messages.Language) -> schemas.Model:
    latest, step = view.latest, view.next_step
    return schemas.Model(
        **_summary(view.model).model_dump(),
        photos=photos.report(view.photos, language),
        latest_training=schemas.LatestTraining(
            id=latest.training_id, status=latest.state.value, percent=trainings.percent(latest)
        )
        if latest
        else None,
        next_step=schemas.Said(code=step.value, sentence=messages.text(messages.STEPS, step.value, language)),
        poll_after_s=poll_after_s(view),
    )


def poll_after_s(view: ModelView) -> int | None:
    if view.next_step in POLL_AFTER_S:
        return POLL_AFTER_S[view.next_step]
    # A model that is usable may be trained again meanwhile, or given more photos.
    if view.latest is not None and view.latest.state.live:
        return POLL_AFTER_S[NextStep.WAIT_FOR_TRAINING]
    return photos.poll_after_s(view.photos)


def model_page(page: Page[PersonalModel]) -> schemas.ModelPage:
    return schemas.ModelPage(items=[_summary(row) for row in page.items], cursor=page.cursor)


def _summary(row: PersonalModel) -> schemas.ModelSummary:
    return schemas.ModelSummary(
        id=row.id,
        name=row.name,
        status=row.state.value,
        kind=row.kind.value,
        class_word=row.class_word,
        trigger_word=row.trigger_word,
        consent=schemas.Consent(
            accepted_at=row.consent.accepted_at,
            text_version=row.consent.text_version,
            withdrawn_at=row.consent.withdrawn_at,
        ),
        versions=[
            schemas.ModelVersion(
                id=version.id,
                trainer=version.trainer,
                fine_tune=version.fine_tune,
                trained_at=version.trained_at,
            )
            for version in row.versions
        ],
        chosen_version=row.chosen_version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
