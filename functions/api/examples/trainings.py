"""Trainings, and what is advised of them."""

from __future__ import annotations

from datetime import UTC, datetime

from api import schemas
from api.examples.models import MODEL_ID, TRAINED_AT, TRAINING_ID
from api.examples.photos import REPORT
from revela.domain.messages import text
from revela.domain.training_messages import TRAINING_ADVICE

CREATED_AT = datetime(2026, 3, 2, 12, 10, tzinfo=UTC)
STARTED_AT = datetime(2026, 3, 2, 12, 10, 4, tzinfo=UTC)
PARAMS = schemas.TrainingParams(
    steps=1000, resolution=1024, learning_rate=0.0004, batch_size=1, lora_rank=16, autocaption=True
)

REQUESTS = {
    "by default": schemas.TrainingRequest(),
    "chosen": schemas.TrainingRequest(trainer="sdxl-lora", steps=1500, resolution=768),
}


def _remark(code: str, parameter: str | None, **args: object) -> schemas.AdviceRemark:
    sentence = text(TRAINING_ADVICE, code, "en", args)
    return schemas.AdviceRemark(code=code, sentence=sentence, parameter=parameter)


ADVICE = schemas.TrainingAdvice(
    trainer="flux-lora",
    params=PARAMS,
    credits=250,
    provider_cost_micro_usd=1_875_750,
    expected_minutes=21,
    reasons=[
        _remark("steps_for_photos", "steps", steps=1000, photos=11, times=91),
        _remark("resolution_face", "resolution", resolution=1024),
        _remark("learning_rate_own", "learning_rate", learning_rate=0.0004),
        _remark("batch_size_one", "batch_size"),
        _remark("lora_rank_identity", "lora_rank", lora_rank=16),
        _remark("autocaption_on", "autocaption"),
    ],
    warnings=[],
    cheaper=schemas.CheaperTraining(
        trainer="flux-lora",
        params=PARAMS.model_copy(update={"steps": 600}),
        credits=150,
        provider_cost_micro_usd=1_235_250,
        expected_minutes=14,
        gives_up=[_remark("fewer_steps", "steps")],
    ),
    credits_available=300,
    photos=REPORT,
)
QUEUED = schemas.Training(
    id=TRAINING_ID,
    model=MODEL_ID,
    status="queued",
    trainer="flux-lora",
    params=PARAMS,
    photos=11,
    credits=schemas.JobCredits(estimated=250, held=250, charged=0, refunded=0),
    expected_minutes=21,
    progress=schemas.TrainingProgress(percent=0, left_s=None, ends_at=None),
    cancel_requested=False,
    created_at=CREATED_AT,
    updated_at=CREATED_AT,
    started_at=None,
    completed_at=None,
    poll_after_s=5,
    error=None,
)
PROCESSING = QUEUED.model_copy(
    update={
        "status": "processing",
        "progress": schemas.TrainingProgress(
            percent=42, left_s=610, ends_at=datetime(2026, 3, 2, 12, 30, 40, tzinfo=UTC)
        ),
        "updated_at": datetime(2026, 3, 2, 12, 20, 30, tzinfo=UTC),
        "started_at": STARTED_AT,
        "poll_after_s": 15,
    }
)
SUCCEEDED = QUEUED.model_copy(
    update={
        "status": "succeeded",
        "credits": schemas.JobCredits(estimated=250, held=0, charged=250, refunded=0),
        "progress": schemas.TrainingProgress(percent=100, left_s=None, ends_at=None),
        "updated_at": TRAINED_AT,
        "started_at": STARTED_AT,
        "completed_at": TRAINED_AT,
        "poll_after_s": None,
    }
)
CANCELED = QUEUED.model_copy(
    update={
        "status": "canceled",
        "credits": schemas.JobCredits(estimated=250, held=0, charged=0, refunded=250),
        "completed_at": STARTED_AT,
        "poll_after_s": None,
    }
)
CANCELING = PROCESSING.model_copy(update={"cancel_requested": True})
TRAININGS = schemas.TrainingPage(items=[SUCCEEDED], cursor=None)
