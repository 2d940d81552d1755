"""Personal models."""

from __future__ import annotations

from datetime import UTC, datetime

from api import schemas
from api.examples.photos import REPORT
from revela.domain import messages

MODEL_ID = "mdl_01K4YW0C8N3VZJ5T7RQ2M9XHBD"
TRAINING_ID = "trn_01K4YW7P2G6DZK8S0AEV4B3XNC"
CREATED_AT = datetime(2026, 3, 2, 12, 0, 20, 500_000, UTC)
TRAINED_AT = datetime(2026, 3, 2, 12, 31, 4, tzinfo=UTC)
WITHDRAWN_AT = datetime(2026, 4, 1, 9, 15, tzinfo=UTC)

REQUESTS = {
    "face": schemas.ModelRequest(
        name="Ana",
        kind="face",
        class_word="woman",
        consent=schemas.ConsentRequest(accepted=True, text_version="2026-03"),
    ),
    "style": schemas.ModelRequest(
        name="Watercolours",
        kind="style",
        trigger_word="AQRLZ",
        consent=schemas.ConsentRequest(accepted=True, text_version="2026-03"),
    ),
}
CHANGES = {
    "name": schemas.ModelChange(name="Ana, 2026"),
    "version": schemas.ModelChange(chosen_version=TRAINING_ID),
}


def _next(code: str) -> schemas.Said:
    return schemas.Said(code=code, sentence=messages.text(messages.STEPS, code, "en"))


DRAFT = schemas.Model(
    id=MODEL_ID,
    name="Ana",
    status="draft",
    kind="face",
    class_word="woman",
    trigger_word="ZOKLIRAF",
    consent=schemas.Consent(accepted_at=CREATED_AT, text_version="2026-03", withdrawn_at=None),
    versions=[],
    chosen_version=None,
    created_at=CREATED_AT,
    updated_at=CREATED_AT,
    photos=schemas.PhotoReport(
        accepted=0,
        rejected=0,
        pending=0,
        expired=0,
        categories=schemas.PhotoCategories(face=0, half_body=0, full_body=0),
        lights=schemas.PhotoLights(dark=0, even=0, bright=0),
        readiness="not_trainable",
        missing=[],
    ),
    latest_training=None,
    next_step=_next("upload_photos"),
    poll_after_s=None,
)
READY = DRAFT.model_copy(
    update={
        "status": "ready",
        "versions": [
            schemas.ModelVersion(
                id=TRAINING_ID, trainer="flux-lora", fine_tune="flux-dev-fine-tune", trained_at=TRAINED_AT
            )
        ],
        "chosen_version": TRAINING_ID,
        "updated_at": TRAINED_AT,
        "photos": REPORT,
        "latest_training": schemas.LatestTraining(id=TRAINING_ID, status="succeeded", percent=100),
        "next_step": _next("generate"),
    }
)
DELETING = READY.model_copy(
    update={"status": "deleting", "next_step": _next("wait_for_deletion"), "poll_after_s": 30}
)
WITHDRAWN = DELETING.model_copy(
    update={
        "consent": READY.consent.model_copy(update={"withdrawn_at": WITHDRAWN_AT}),
        "updated_at": WITHDRAWN_AT,
    }
)
MODELS = schemas.ModelPage(
    items=[
        schemas.ModelSummary(**{name: getattr(READY, name) for name in schemas.ModelSummary.model_fields})
    ],
    cursor=None,
)
