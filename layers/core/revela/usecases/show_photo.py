"""Show one photo of a model, with a URL if it was accepted."""

from __future__ import annotations

from revela.domain.errors import NotFound
from revela.ports import ModelRef, Ports
from revela.usecases import personal_models
from revela.usecases.list_photos import PhotosView, view


def show_photo(ref: ModelRef, photo_id: str, *, ports: Ports) -> PhotosView:
    """Return a view of this photo alone. Raises NotFound, and NotNow while the model is being deleted."""
    model = personal_models.get(ref, ports=ports)
    photo = ports.photos.get(ref, photo_id)
    if photo is None:
        raise NotFound("not_found")
    return view([personal_models.as_of(photo, ports.clock.now())], kind=model.kind, ports=ports)
