"""Check a photo: decode what was uploaded, judge it within its set, keep a clean copy of what is accepted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from revela.domain.change import Change, ModelWrite, PhotoWrite
from revela.domain.errors import Conflict, Transient
from revela.domain.personal_model import ModelState
from revela.domain.photo import (
    BYTES_MAX,
    FaceReport,
    Photo,
    PhotoFacts,
    PhotoState,
    Unreadable,
    decided,
    step,
)
from revela.domain.photo_verdict import judge
from revela.domain.policy import PHOTO_DUE, UPLOAD_WINDOW
from revela.ports import Fetched, ModelRef, Ports, Ref
from revela.usecases import personal_models
from revela.usecases.contention import contended
from revela.usecases.delete_photo import forget_files

CLEAN_TYPE = "image/jpeg"


def check_photo(ref: Ref, *, ports: Ports) -> None:
    """Judge the photo that was uploaded for a row; one that was judged before stays as it was judged.

    Nothing happens to a photo that is not there yet; once nobody can upload it any more, it expires.
    What is uploaded to a photo that is judged, expired or gone is deleted: nobody else ever looks at it.

    Raises:
        Transient: deliver the message again.
    """
    model_id, _, photo_id = ref.id.partition("#")
    model = ModelRef(ref.user_id, model_id)
    photo = ports.photos.get(model, photo_id)
    if photo is None:
        forget_files(model, photo_id, ports=ports)
        return
    if photo.state.decided or photo.state is PhotoState.EXPIRED:
        _keep_what_was_accepted(photo, ports)
        return
    with ports.objects.fetch(photo.upload_key, max_bytes=BYTES_MAX) as file:
        if file is None:
            _expire(photo, ports)
            return
        checking = _begin(photo, file, ports)
        with tempfile.NamedTemporaryFile(prefix="photo-", suffix=".jpg") as clean:
            _check(checking, file.path, Path(clean.name), ports)


def _begin(photo: Photo, file: Fetched, ports: Ports) -> Photo:
    """Note which bytes are being checked: whatever is uploaded to the key later is not judged."""
    now = ports.clock.now()
    checking = step(photo, PhotoState.CHECKING, now=now, object_version=file.version, due_at=now + PHOTO_DUE)
    try:
        ports.changes.commit(Change(now=now, photos=(PhotoWrite(photo, checking),)))
    except Conflict as conflict:
        raise Transient("the photo is being checked by another process") from conflict
    return checking


def _check(photo: Photo, upload: Path, clean: Path, ports: Ports) -> None:
    facts = ports.photo_files.inspect(upload, declared_type=photo.declared_type, clean=clean)
    faces: FaceReport | Unreadable | None = None
    famous = False
    if isinstance(facts, PhotoFacts):
        faces = ports.faces.inspect(clean)
    # Whoever is not in the picture needs no looking up: each look is paid for.
    if isinstance(faces, FaceReport) and faces.faces:
        famous = ports.celebrities.appears(clean)
    ref = ModelRef(photo.user_id, photo.model_id)
    copied = False
    for _ in contended(ports):
        model = ports.models.get(ref)
        if model is None or model.state is ModelState.DELETING:
            forget_files(ref, photo.id, ports=ports)
            return
        others = [other for other in personal_models.photos_now(ref, ports=ports) if other.id != photo.id]
        verdict = judge(facts, faces, kind=model.kind, others=others, famous=famous)
        now = ports.clock.now()
        after = decided(photo, verdict, facts, now=now)
        if verdict.accepted:
            after = after.model_copy(update={"expires_at": now + ports.policies.photos_kept})
            if not copied and after.clean_key is not None:
                ports.objects.put_file(after.clean_key, clean, content_type=CLEAN_TYPE)
                copied = True
        try:
            # Writing the model puts verdicts of one set in a row: of two alike, one sees the other.
            ports.changes.commit(
                Change(
                    now=now, model=ModelWrite(model, model.changed(now)), photos=(PhotoWrite(photo, after),)
                )
            )
        except Conflict as conflict:
            if "photos" in conflict.failed:
                # Deleted, being checked or judged by another process meanwhile.
                raise Transient("the photo was written by another process") from conflict
            continue
        code = verdict.problems[0].code if verdict.problems else "accepted"
        ports.telemetry.count("PhotosAccepted" if verdict.accepted else "PhotosRejected")
        ports.telemetry.info("photo_checked", photo_id=photo.row_id, verdict=code)
        _keep_what_was_accepted(after, ports)
        return
    raise Transient("the model was written by others for too long")


def _keep_what_was_accepted(photo: Photo, ports: Ports) -> None:
    """Delete the upload, with the place that it tells of, and the clean copy of what is not trained with."""
    ports.objects.delete([photo.upload_key])
    if photo.state is not PhotoState.ACCEPTED:
        ports.objects.delete_prefix(photo.clean_prefix)


def _expire(photo: Photo, ports: Ports) -> None:
    now = ports.clock.now()
    if now <= photo.created_at + UPLOAD_WINDOW:
        return
    gone = step(photo, PhotoState.EXPIRED, now=now)
    try:
        ports.changes.commit(Change(now=now, photos=(PhotoWrite(photo, gone),)))
    except Conflict:
        return
    ports.telemetry.count("PhotosExpired")
