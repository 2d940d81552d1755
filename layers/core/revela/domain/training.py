"""A training: a model's photos on their way to a version of its own."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from revela.domain.account import Place
from revela.domain.job import Job
from revela.domain.photo import ModelKind
from revela.domain.trigger_words import Subject


class TrainingPhoto(BaseModel):
    """One photo as it was when the training was paid: `key` in the bucket, `sha256` in hex."""

    model_config = ConfigDict(frozen=True)

    id: str
    key: str
    sha256: str


class Training(Job):
    """`params` are complete, in our names. `fine_tune` is the catalog's id of what will be made.

    `input_url` names the archive that this attempt was sent with.

    `progress_percent` and `left_s` are what the trainer's log told last.
    """

    KIND: ClassVar[Literal["generation", "training"]] = "training"

    model_id: str
    trainer: str
    fine_tune: str
    params: dict[str, Any]
    kind: ModelKind
    trigger_word: str
    class_word: str
    destination: str | None = None
    photos: tuple[TrainingPhoto, ...]
    shows_faces: bool = True
    input_file_id: str | None = None
    input_url: str | None = None
    progress_percent: int | None = None
    left_s: int | None = None
    trained_version: str | None = None
    weights_key: str | None = None

    @property
    def place(self) -> Place:
        return "training"

    @property
    def runs(self) -> str:
        return self.trainer

    @property
    def training_id(self) -> str:
        """The id that clients know, without its model's."""
        return self.id.partition("#")[2]

    @property
    def subject(self) -> Subject:
        return Subject(self.kind, self.trigger_word, self.class_word)

    @property
    def weights_prefix(self) -> str:
        return f"users/{self.user_id}/models/{self.model_id}/{self.training_id}/"
