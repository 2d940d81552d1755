"""Generations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api import schemas
from revela.domain import messages

GENERATION_ID = "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE"
CREATED_AT = datetime(2026, 3, 2, 12, 0, 0, 250_000, UTC)
COMPLETED_AT = datetime(2026, 3, 2, 12, 0, 9, 120_000, UTC)

REQUESTS = {
    "flux-dev": schemas.GenerationRequest(
        model="flux-dev", prompt="a lighthouse at dusk, film photograph", aspect_ratio="3:2", num_outputs=1
    ),
    "sdxl": schemas.GenerationRequest(
        model="sdxl",
        prompt="portrait of a sailor, oil on canvas",
        negative_prompt="blurry",
        width=832,
        height=1216,
        num_inference_steps=30,
        guidance_scale=7.5,
        num_outputs=2,
        seed=42,
    ),
}

APPEALS = {
    "reason": schemas.AppealRequest(reason="It is a statue in a museum."),
    "without": schemas.AppealRequest(),
}

QUEUED = schemas.Generation(
    id=GENERATION_ID,
    status="queued",
    model="flux-dev",
    model_version=None,
    params=schemas.GenerationParams(
        prompt="a lighthouse at dusk, film photograph",
        width=1216,
        height=832,
        num_inference_steps=28,
        guidance_scale=3.0,
        num_outputs=1,
        seed=1234567,
        format="webp",
        quality=80,
    ),
    credits=schemas.JobCredits(estimated=3, held=3, charged=0, refunded=0),
    cancel_requested=False,
    created_at=CREATED_AT,
    updated_at=CREATED_AT,
    started_at=None,
    completed_at=None,
    poll_after_s=2,
    outputs=[],
    blocked=[],
    appeal=None,
    error=None,
)

SUCCEEDED = QUEUED.model_copy(
    update={
        "status": "succeeded",
        "credits": schemas.JobCredits(estimated=3, held=0, charged=3, refunded=0),
        "updated_at": COMPLETED_AT,
        "started_at": datetime(2026, 3, 2, 12, 0, 1, 480_000, UTC),
        "completed_at": COMPLETED_AT,
        "poll_after_s": None,
        "outputs": [
            schemas.Output(
                index=0,
                url="https://bucket.s3.us-east-1.amazonaws.com/users/ana/generations/1-0.webp?X-Amz-Signature=0",
                thumbnail_url="https://bucket.s3.us-east-1.amazonaws.com/users/ana/generations/1-0-thumbnail.webp"
                "?X-Amz-Signature=1",
                expires_at=datetime(2026, 3, 2, 12, 15, tzinfo=UTC),
                content_type="image/webp",
                width=1216,
                height=832,
                size_bytes=148312,
                sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                thumbnail_width=512,
                thumbnail_height=350,
            )
        ],
    }
)

APPEALED_AT = datetime(2026, 3, 2, 12, 4, 51, 730_000, UTC)

APPEALED = SUCCEEDED.model_copy(
    update={
        "params": QUEUED.params.model_copy(update={"prompt": "a museum of sculpture", "num_outputs": 2}),
        "credits": schemas.JobCredits(estimated=6, held=0, charged=3, refunded=3),
        "updated_at": APPEALED_AT,
        "blocked": [
            schemas.Blocked(
                index=1,
                category="nudity",
                reason=messages.text(messages.BLOCKS, "nudity", "en"),
                appealable_until=COMPLETED_AT + timedelta(days=7),
            )
        ],
        "appeal": schemas.Appeal(appealed_at=APPEALED_AT, reason=APPEALS["reason"].reason),
    }
)

CANCELED = QUEUED.model_copy(
    update={
        "status": "canceled",
        "credits": schemas.JobCredits(estimated=3, held=0, charged=0, refunded=3),
        "updated_at": COMPLETED_AT,
        "completed_at": COMPLETED_AT,
        "poll_after_s": None,
    }
)

CANCELING = QUEUED.model_copy(
    update={"status": "processing", "cancel_requested": True, "updated_at": COMPLETED_AT}
)

GENERATIONS = schemas.GenerationPage(items=[SUCCEEDED], cursor=None)
