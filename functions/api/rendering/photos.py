"""Training photos as they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from api import schemas
from revela.domain import messages, photo_report
from revela.domain.photo import BYTES_MAX, Photo, PhotoState, Remark, Verdict
from revela.usecases.list_photos import PhotosView
from revela.usecases.request_photo_uploads import PhotoUpload

POLL_AFTER_S = 2


def photo_set(view: PhotosView, language: messages.Language) -> schemas.PhotoSet:
    return schemas.PhotoSet(
        items=[photo(row, view, language) for row in view.photos],
        report=report(view.report, language),
        poll_after_s=poll_after_s(view.report),
    )


def poll_after_s(found: photo_report.PhotoReport) -> int | None:
    return POLL_AFTER_S if found.pending else None


def photo(row: Photo, view: PhotosView, language: messages.Language) -> schemas.Photo:
    return schemas.Photo(
        id=row.id,
        status=row.state.value,
        content_type=row.declared_type,
        category=row.category.value if row.category else None,
        verdict=_verdict(row.verdict, language) if row.verdict else None,
        image=_image(row, view),
        kept_until=row.expires_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def uploads(made: Sequence[PhotoUpload]) -> schemas.PhotoUploads:
    return schemas.PhotoUploads(
        photos=[
            schemas.PhotoUpload(
                id=one.photo.id,
                content_type=one.photo.declared_type,
                upload=schemas.UploadForm(
                    url=one.upload.url,
                    fields=dict(one.upload.fields),
                    expires_at=one.expires_at,
                    max_bytes=BYTES_MAX,
                ),
            )
            for one in made
        ]
    )


def report(found: photo_report.PhotoReport, language: messages.Language) -> schemas.PhotoReport:
    return schemas.PhotoReport(
        accepted=found.accepted,
        rejected=found.rejected,
        pending=found.pending,
        expired=found.expired,
        categories=schemas.PhotoCategories(**{c.value: n for c, n in found.categories.items()}),
        lights=schemas.PhotoLights(**{light.value: n for light, n in found.lights.items()}),
        readiness=found.readiness.value,
        missing=[schemas.Said(code=one.code, sentence=_sentence(one, language)) for one in found.missing],
    )


def _verdict(verdict: Verdict, language: messages.Language) -> schemas.PhotoVerdict:
    return schemas.PhotoVerdict(
        accepted=verdict.accepted,
        problems=[_remark(one, language) for one in verdict.problems],
        notes=[_remark(one, language) for one in verdict.notes],
    )


def _remark(remark: Remark, language: messages.Language) -> schemas.PhotoRemark:
    return schemas.PhotoRemark(
        code=remark.code, sentence=_sentence(remark, language), photo_id=remark.photo_id
    )


def _sentence(remark: Remark, language: messages.Language) -> str:
    return messages.text(messages.PHOTOS, remark.code, language, remark.args)


def _image(row: Photo, view: PhotosView) -> schemas.PhotoImage | None:
    if row.state is not PhotoState.ACCEPTED or row.facts is None or row.clean_key is None:
        return None
    assert view.urls_expire_at is not None
    clean = row.facts.clean
    return schemas.PhotoImage(
        url=view.urls[row.clean_key],
        expires_at=view.urls_expire_at,
        width=clean.width,
        height=clean.height,
        size_bytes=clean.size_bytes,
        sha256=clean.sha256,
    )
