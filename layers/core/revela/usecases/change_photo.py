"""Change a photo: the user corrects how much of the person it shows."""

from __future__ import annotations

from revela.domain.change import Change, PhotoWrite
from revela.domain.errors import Conflict, NotFound, NotNow
from revela.domain.photo import Category, Photo, PhotoState
from revela.ports import ModelRef, Ports
from revela.usecases import personal_models
from revela.usecases.contention import contended


def change_photo(ref: ModelRef, photo_id: str, category: Category, *, ports: Ports) -> Photo:
    """Raises NotFound; NotNow when the photo was not accepted, or the model is being deleted."""
    personal_models.get(ref, ports=ports)
    for _ in contended(ports):
        photo = ports.photos.get(ref, photo_id)
        if photo is None:
            raise NotFound("not_found")
        now = ports.clock.now()
        state = personal_models.as_of(photo, now).state
        if state is not PhotoState.ACCEPTED:
            raise NotNow("photo_not_accepted", state=state.value)
        after = photo.model_copy(
            update={"chosen_category": category, "updated_at": now, "version": photo.version + 1}
        )
        try:
            ports.changes.commit(Change(now=now, photos=(PhotoWrite(photo, after),)))
        except Conflict:
            continue
        return after
    raise NotNow("write_conflict")
