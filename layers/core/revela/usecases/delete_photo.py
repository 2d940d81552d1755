"""Delete a photo: its files first, so that deleting it again finishes what was begun."""

from __future__ import annotations

from revela.domain.change import Change, PhotoWrite
from revela.domain.errors import Conflict, NotFound, NotNow
from revela.domain.photo import clean_prefix, upload_key
from revela.ports import ModelRef, Ports
from revela.usecases.contention import contended


def delete_photo(ref: ModelRef, photo_id: str, *, ports: Ports) -> None:
    """A training that has not packed it yet fails, and costs nothing. Raises NotFound."""
    photo = ports.photos.get(ref, photo_id)
    if photo is None:
        raise NotFound("not_found")
    for _ in contended(ports):
        forget_files(ref, photo_id, ports=ports)
        now = ports.clock.now()
        try:
            ports.changes.commit(Change(now=now, photos=(PhotoWrite(photo, None),)))
        except Conflict:
            photo = ports.photos.get(ref, photo_id)
            if photo is None:
                # Deleted by a twin, or by our own request whose answer was lost.
                return
            continue
        ports.telemetry.info("photo_deleted", photo_id=photo.row_id)
        return
    raise NotNow("write_conflict")


def forget_files(ref: ModelRef, photo_id: str, *, ports: Ports) -> None:
    """Delete what was uploaded, and every clean copy: a check that died left more than its row tells."""
    ports.objects.delete([upload_key(ref.user_id, ref.id, photo_id)])
    ports.objects.delete_prefix(clean_prefix(ref.user_id, ref.id, photo_id))
