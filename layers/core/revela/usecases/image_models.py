"""Whom a generation is made by: a model of the catalog, or the chosen version of a personal one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from revela.domain.catalog import Catalog, CatalogModel
from revela.domain.errors import NotFound, NotNow
from revela.domain.generation import Generation, OwnVersion
from revela.domain.image_model import ImageModel
from revela.domain.personal_model import PersonalModel
from revela.ports import ModelRef, Ports
from revela.usecases import personal_models

OWN = "mdl_"
_OWN_ID = re.compile(r"mdl_[0-9A-Za-z]{1,40}")


@dataclass(frozen=True)
class ImageMaker:
    """`model_id` as in requests; `personal` is the row that must not change until the job is written."""

    model_id: str
    model: ImageModel
    provider_version: str
    own: OwnVersion | None = None
    personal: PersonalModel | None = None


def find(user_id: str, model_id: str, *, ports: Ports) -> ImageMaker:
    """Raises InvalidRequest, NotFound; NotNow while it is being deleted or before it was trained."""
    if not model_id.startswith(OWN):
        model = ports.catalog.model(model_id)
        return ImageMaker(model.id, model, model.version)
    if not _OWN_ID.fullmatch(model_id):
        # An id that cannot be one may be a key of something else: a photo's or a training's row.
        raise NotFound("not_found")
    personal = personal_models.get(ModelRef(user_id, model_id), ports=ports)
    chosen = personal.chosen
    if chosen is None:
        raise NotNow("model_untrained")
    fine_tune = ports.catalog.fine_tune(chosen.fine_tune)
    own = OwnVersion(
        version_id=chosen.id,
        fine_tune=fine_tune.id,
        kind=personal.kind,
        trigger_word=personal.trigger_word,
        class_word=personal.class_word,
    )
    return ImageMaker(personal.id, fine_tune, chosen.provider_version, own, personal)


def model_of(row: Generation, catalog: Catalog) -> ImageModel:
    """Raises InvalidRequest when it has left the catalog."""
    return catalog.fine_tune(row.own.fine_tune) if row.own else catalog.model(row.model)


def input_of(row: Generation, catalog: Catalog) -> Mapping[str, Any]:
    """Return the model's own input. Raises InvalidRequest when it has left the catalog."""
    if row.own:
        return catalog.fine_tune(row.own.fine_tune).render_for(row.own.subject, row.params)
    model: CatalogModel = catalog.model(row.model)
    return model.render(row.params)
