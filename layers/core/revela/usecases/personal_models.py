"""What use cases ask of a personal model and its photos."""

from __future__ import annotations

from datetime import datetime

from revela.domain.errors import NotFound, NotNow
from revela.domain.job import Event, Failure, State
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.photo import Photo, PhotoState
from revela.ports import ModelRef, Ports
from revela.usecases.moving import Move

# How a job ends whose model is closed: nothing was made, or nothing of it is shown.
CLOSED = Move(Event.MODEL_CLOSED, State.FAILED, failure=Failure(code="model_closed"))


def open_model(ref: ModelRef, *, ports: Ports) -> PersonalModel | None:
    """Return the model, None when it is being deleted: nothing of it is sent to the provider any more."""
    model = ports.models.get(ref)
    return model if model is not None and model.state is not ModelState.DELETING else None


def get(ref: ModelRef, *, ports: Ports) -> PersonalModel:
    """Return a model that may be worked with. Raises NotFound, and NotNow while it is being deleted."""
    model = ports.models.get(ref)
    if model is None:
        raise NotFound("not_found")
    if model.state is ModelState.DELETING:
        raise NotNow("model_deleting")
    return model


def accepted_photos(ref: ModelRef, *, ports: Ports) -> list[Photo]:
    """Return the photos that can be trained with, oldest first."""
    return [photo for photo in photos_now(ref, ports=ports) if photo.state is PhotoState.ACCEPTED]


def photos_now(ref: ModelRef, *, ports: Ports) -> list[Photo]:
    """Return a model's photos, oldest first; one that was kept for its time is expired, whoever noticed."""
    now = ports.clock.now()
    return [as_of(photo, now) for photo in ports.photos.of(ref)]


def as_of(photo: Photo, now: datetime) -> Photo:
    """Return the photo, expired when it was kept for its time: its clean copy is gone, or about to be."""
    kept = photo.expires_at is None or photo.expires_at > now
    return photo if kept else photo.model_copy(update={"state": PhotoState.EXPIRED})
