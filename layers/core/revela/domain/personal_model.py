"""A personal model: somebody's photos, and the versions that were trained on them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from revela.domain.photo import ModelKind


class ModelState(StrEnum):
    """A model that is gone has no row."""

    DRAFT = "draft"
    READY = "ready"
    DELETING = "deleting"


class Consent(BaseModel):
    """Who uploads says that the person shown agrees. `address_hash`: of the address it was said from.

    From `withdrawn_at` on nothing is made with the model, and nothing that was under way is published.
    """

    model_config = ConfigDict(frozen=True)

    accepted_at: datetime
    text_version: str
    address_hash: str
    withdrawn_at: datetime | None = None


class TrainedVersion(BaseModel):
    """`id` is the training's; `provider_version` what the provider is told to run.

    `trainer` and `fine_tune` are the catalog's ids of what made it and of what it is; `shows_faces`, whether
    there was one in a photo that it learned from.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    provider_version: str
    trainer: str
    fine_tune: str
    trained_at: datetime
    shows_faces: bool = True
    weights_key: str | None = None


class PersonalModel(BaseModel):
    """`chosen_version` is the id of the version that images are made with."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    id: str
    account_id: str
    state: ModelState = ModelState.DRAFT
    version: int = 1
    name: str
    kind: ModelKind
    class_word: str
    trigger_word: str
    consent: Consent
    versions: tuple[TrainedVersion, ...] = ()
    chosen_version: str | None = None
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None

    @property
    def chosen(self) -> TrainedVersion | None:
        return next((v for v in self.versions if v.id == self.chosen_version), None)

    @property
    def shows_people(self) -> bool:
        """Whether images of the chosen version may show whoever is on its photos, whatever it is called."""
        return self.kind.of_a_person or self.chosen is None or self.chosen.shows_faces

    @property
    def incoming_prefix(self) -> str:
        return f"incoming/{self.user_id}/{self.id}/"

    @property
    def photos_prefix(self) -> str:
        return f"photos/{self.user_id}/{self.id}/"

    @property
    def weights_prefix(self) -> str:
        return f"users/{self.user_id}/models/{self.id}/"

    def changed(self, now: datetime, **values: Any) -> PersonalModel:
        return self.model_copy(update={**values, "updated_at": now, "version": self.version + 1})

    def with_version(self, new: TrainedVersion, *, now: datetime) -> PersonalModel:
        """Return the model after a training: the newest version is the one that images are made with."""
        kept = tuple(v for v in self.versions if v.id != new.id)
        return self.changed(now, state=ModelState.READY, versions=(*kept, new), chosen_version=new.id)
