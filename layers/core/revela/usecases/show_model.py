"""Show personal models: the row, what its photos are good for, and what to do next."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from revela.domain.errors import NotFound
from revela.domain.model_steps import NextStep, next_step
from revela.domain.personal_model import PersonalModel
from revela.domain.photo import Photo
from revela.domain.photo_report import PhotoReport, report
from revela.domain.training import Training
from revela.ports import ModelRef, Page, Ports
from revela.usecases import personal_models


@dataclass(frozen=True)
class ModelView:
    """`latest` is the model's newest training, whatever became of it. `tag` changes when the view does."""

    model: PersonalModel
    photos: PhotoReport
    latest: Training | None
    next_step: NextStep
    tag: str


def show_model(ref: ModelRef, *, ports: Ports) -> ModelView:
    """Return the model, while it is being deleted as well. Raises NotFound."""
    model = ports.models.get(ref)
    if model is None:
        raise NotFound("not_found")
    return view(model, ports=ports)


def list_models(user_id: str, *, limit: int, cursor: str | None, ports: Ports) -> Page[PersonalModel]:
    """Return a page, newest first, without those being deleted. Raises InvalidRequest on a bad cursor."""
    return ports.models.page(user_id, limit=limit, cursor=cursor)


def view(model: PersonalModel, *, ports: Ports) -> ModelView:
    ref = ModelRef(model.user_id, model.id)
    trainings = ports.trainings.page(ref, limit=1, cursor=None).items
    return _view(model, personal_models.photos_now(ref, ports=ports), trainings[0] if trainings else None)


def view_of_draft(model: PersonalModel) -> ModelView:
    """Return a view of what has just been created: nothing is read that could be away."""
    return _view(model, (), None)


def _view(model: PersonalModel, photos: Sequence[Photo], latest: Training | None) -> ModelView:
    found = report(photos, kind=model.kind)
    # Photos and trainings change without the model's row.
    seen = [(photo.id, photo.version, photo.state.value) for photo in photos]
    digest = hashlib.sha256(repr(seen).encode()).hexdigest()[:12]
    trained = f"{latest.training_id}.{latest.version}" if latest else "none"
    return ModelView(
        model, found, latest, next_step(model, found, latest), f"{model.version}-{digest}-{trained}"
    )
