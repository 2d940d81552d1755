"""Delete a photo: its files first, so that deleting it again finishes what was begun."""

from __future__ import annotations

from revela.domain.change import Change, PhotoWrite
from revela.domain.errors import Conflict, NotFound, NotNow
from revela.ports import ModelRef, Ports
from revela.usecases.moving import contended


def delete_photo(ref: ModelRef, photo_id: str, *, ports: Ports) -> None:
    """A training that has not packed it yet fails, and costs nothing. Raises NotFound."""
    for _ in contended(ports):
        photo = ports.photos.get(ref, photo_id)
        if photo is None:
            raise NotFound("not_found")
        ports.objects.delete([photo.upload_key, photo.clean_key])
        now = ports.clock.now()
        try:
            ports.changes.commit(Change(now=now, photos=(PhotoWrite(photo, None),)))
        except Conflict:
            continue
        ports.telemetry.info("photo_deleted", photo_id=photo.row_id)
        return
    raise NotNow("write_conflict")
