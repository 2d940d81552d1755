"""Training photos."""

from __future__ import annotations

from datetime import UTC, datetime

from api import schemas
from revela.domain import messages

PHOTO_ID = "pho_01K4YW1R5T9BXG2H6KJ8PQZ3ME"
CREATED_AT = datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
JUDGED_AT = datetime(2026, 3, 2, 12, 1, 9, 300_000, UTC)

REQUESTS = {
    "two files": schemas.PhotoUploadsRequest(
        files=[schemas.PhotoFile(content_type="image/jpeg"), schemas.PhotoFile(content_type="image/heic")]
    )
}
CHANGES = {"half body": schemas.PhotoChange(category="half_body")}


def _said(code: str, **args: int) -> schemas.Said:
    return schemas.Said(code=code, sentence=messages.text(messages.PHOTOS, code, "en", args))


REPORT = schemas.PhotoReport(
    accepted=11,
    rejected=1,
    pending=0,
    expired=0,
    categories=schemas.PhotoCategories(face=7, half_body=3, full_body=1),
    lights=schemas.PhotoLights(dark=1, even=9, bright=1),
    readiness="recommended",
    missing=[],
)
UPLOADS = schemas.PhotoUploads(
    photos=[
        schemas.PhotoUpload(
            id=PHOTO_ID,
            content_type="image/jpeg",
            upload=schemas.UploadForm(
                url="https://bucket.s3.us-east-1.amazonaws.com/",
                fields={
                    "Content-Type": "image/jpeg",
                    "key": f"incoming/ana/mdl_01K4YW0C8N3VZJ5T7RQ2M9XHBD/{PHOTO_ID}",
                    "policy": "eyJleHBpcmF0aW9uIjogIjIwMjYtMDMtMDIifQ==",
                    "x-amz-signature": "0",
                },
                expires_at=datetime(2026, 3, 2, 12, 31, tzinfo=UTC),
                max_bytes=30_000_000,
            ),
        )
    ]
)
ACCEPTED = schemas.Photo(
    id=PHOTO_ID,
    status="accepted",
    content_type="image/jpeg",
    category="face",
    verdict=schemas.PhotoVerdict(accepted=True, problems=[], notes=[]),
    image=schemas.PhotoImage(
        url=f"https://bucket.s3.us-east-1.amazonaws.com/users/ana/photos/mdl_0/{PHOTO_ID}.jpg?X-Amz-Signature=0",
        expires_at=datetime(2026, 3, 2, 12, 15, tzinfo=UTC),
        width=1536,
        height=2048,
        size_bytes=612_044,
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    kept_until=datetime(2026, 5, 31, 12, 1, tzinfo=UTC),
    created_at=CREATED_AT,
    updated_at=JUDGED_AT,
)
REJECTED = ACCEPTED.model_copy(
    update={
        "id": "pho_01K4YW1R5T9BXG2H6KJ8PQZ3MF",
        "status": "rejected",
        "verdict": schemas.PhotoVerdict(
            accepted=False,
            problems=[schemas.PhotoRemark(**_said("blurry").model_dump(), photo_id=None)],
            notes=[],
        ),
        "image": None,
    }
)
PHOTOS = schemas.PhotoSet(
    items=[ACCEPTED, REJECTED],
    report=REPORT.model_copy(
        update={
            "accepted": 1,
            "categories": schemas.PhotoCategories(face=1, half_body=0, full_body=0),
            "lights": schemas.PhotoLights(dark=0, even=1, bright=0),
            "readiness": "not_trainable",
            "missing": [
                _said("more_photos_needed", count=4, minimum=5),
                _said("more_close_ups", count=5),
                _said("more_half_body", count=2),
            ],
        }
    ),
    poll_after_s=None,
)
