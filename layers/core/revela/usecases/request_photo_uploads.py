"""Request photo uploads: a row and a form for each file, which the client then posts to the bucket itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from revela.domain.change import Change, ModelWrite, PhotoWrite
from revela.domain.errors import Conflict, NotNow
from revela.domain.photo import BYTES_MAX, Photo, PhotoState
from revela.domain.policy import PHOTO_DUE, UPLOAD_WINDOW
from revela.ports import ModelRef, Ports, Upload
from revela.usecases import personal_models
from revela.usecases.contention import contended

# Photos of a model that are accepted or may still become so.
PHOTOS_MAX = 30
# Rejected and expired ones are kept with their verdicts up to so many, all in all.
ROWS_MAX = 200


@dataclass(frozen=True)
class RequestPhotoUploads:
    """`content_types` has one of `photo.CONTENT_TYPES` for each file."""

    model: ModelRef
    content_types: Sequence[str]


@dataclass(frozen=True)
class PhotoUpload:
    photo: Photo
    upload: Upload
    expires_at: datetime


def request_photo_uploads(command: RequestPhotoUploads, *, ports: Ports) -> list[PhotoUpload]:
    """Raises NotFound, and NotNow while the model is being deleted or has all the photos it may have."""
    for _ in contended(ports):
        model = personal_models.get(command.model, ports=ports)
        rows = personal_models.photos_now(command.model, ports=ports)
        open_ = sum(row.state not in (PhotoState.REJECTED, PhotoState.EXPIRED) for row in rows)
        if open_ + len(command.content_types) > PHOTOS_MAX:
            raise NotNow("too_many_photos", limit=PHOTOS_MAX, left=max(0, PHOTOS_MAX - open_))
        if len(rows) + len(command.content_types) > ROWS_MAX:
            raise NotNow("too_many_rejected_photos", limit=ROWS_MAX)
        now = ports.clock.now()
        photos = [
            Photo(
                user_id=model.user_id,
                model_id=model.id,
                # Ids of one millisecond are in no order: these are listed as they were asked for.
                id=ports.entropy.new_id("pho", now=now + timedelta(milliseconds=position)),
                state=PhotoState.AWAITING_UPLOAD,
                declared_type=content_type,
                created_at=now,
                updated_at=now,
                # By then the upload was made and told of, or never will be.
                due_at=now + UPLOAD_WINDOW + PHOTO_DUE,
            )
            for position, content_type in enumerate(command.content_types)
        ]
        writes = tuple(PhotoWrite(None, photo) for photo in photos)
        try:
            # The model counts its photos by being written: two requests cannot both take the last places.
            ports.changes.commit(Change(now=now, model=ModelWrite(model, model.changed(now)), photos=writes))
        except Conflict:
            continue
        until = now + UPLOAD_WINDOW
        return [PhotoUpload(photo, _upload(photo, ports), until) for photo in photos]
    raise NotNow("write_conflict")


def _upload(photo: Photo, ports: Ports) -> Upload:
    return ports.objects.presign_upload(
        photo.upload_key, content_type=photo.declared_type, max_bytes=BYTES_MAX, valid_for=UPLOAD_WINDOW
    )
