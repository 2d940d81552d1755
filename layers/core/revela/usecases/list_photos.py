"""List a model's photos, with URLs of those that were accepted, and what the set is good for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from revela.domain.photo import ModelKind, Photo, PhotoState
from revela.domain.photo_report import PhotoReport, report
from revela.ports import ModelRef, Ports
from revela.usecases import personal_models


@dataclass(frozen=True)
class PhotosView:
    """`urls` maps the keys of accepted photos to URLs that work until `urls_expire_at` at least."""

    photos: Sequence[Photo]
    report: PhotoReport
    urls: Mapping[str, str]
    urls_expire_at: datetime | None

    @property
    def tag(self) -> str:
        """Changes exactly when the view does: with the photos, and with the URLs if there are any."""
        seen = [(photo.id, photo.version, photo.state.value) for photo in self.photos]
        digest = hashlib.sha256(repr(seen).encode()).hexdigest()[:12]
        return f"{digest}-{int(self.urls_expire_at.timestamp())}" if self.urls_expire_at else digest


def list_photos(ref: ModelRef, *, ports: Ports) -> PhotosView:
    """Raises NotFound, and NotNow while the model is being deleted."""
    model = personal_models.get(ref, ports=ports)
    photos = personal_models.photos_now(ref, ports=ports)
    return view(photos, kind=model.kind, ports=ports)


def view(photos: Sequence[Photo], *, kind: ModelKind, ports: Ports) -> PhotosView:
    accepted = [photo for photo in photos if photo.state is PhotoState.ACCEPTED]
    keys = [photo.clean_key for photo in accepted if photo.clean_key is not None]
    urls, expires_at = ports.objects.presign(keys) if keys else ({}, None)
    return PhotosView(photos, report(photos, kind=kind), urls, expires_at)
