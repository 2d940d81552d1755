"""Personal models over the wire."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from api.schemas.generations import Status
from api.schemas.photos import PhotoReport
from api.schemas.wire import Name, Said, Time, Wire, not_accepted

Kind = Literal["face", "half_body", "full_body", "style"]
CLASS_WORD = r"^[^\W\d_]+(?:[ '-][^\W\d_]+){0,2}$"
CLASS_WORD_MAX = 30


def _class_word(word: str) -> str:
    if len(word) > CLASS_WORD_MAX or not re.fullmatch(CLASS_WORD, word):
        raise not_accepted("class_word_form", maximum=CLASS_WORD_MAX)
    return word


ClassWord = Annotated[
    str,
    AfterValidator(_class_word),
    Field(json_schema_extra={"minLength": 1, "maxLength": CLASS_WORD_MAX}),
]


def _accepted(accepted: bool) -> bool:
    if not accepted:
        raise not_accepted("must_be_accepted")
    return accepted


class ConsentRequest(Wire):
    """Whoever is to be seen agrees to it, and is an adult; the one who uploads says so."""

    model_config = ConfigDict(strict=True, extra="forbid")

    accepted: Annotated[bool, AfterValidator(_accepted), Field(json_schema_extra={"const": True})]
    text_version: Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,64}$")] = Field(
        description="Of the text that was agreed to, as the client showed it."
    )


class ModelRequest(Wire):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: Name
    kind: Kind = Field(description="What the model is to learn.")
    class_word: ClassWord | None = Field(
        None,
        description="What it is one of, in one to three words: woman, man, dog. "
        "By default person, and style for a style.",
    )
    trigger_word: str | None = Field(
        None,
        description="3 to 16 letters and digits that mean nothing; made up when absent. "
        "It is put into prompts by itself.",
    )
    consent: ConsentRequest


class ModelChange(Wire):
    """What is absent stays as it is."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Name | None = None
    chosen_version: str | None = Field(None, description="Id of the version to make images with.")


class Consent(Wire):
    accepted_at: Time
    text_version: str
    withdrawn_at: Time | None = Field(description="From then on nothing is made with the model.")


class ModelVersion(Wire):
    """What a training made; its id is the training's. `fine_tune` names what the catalog says of it."""

    id: str
    trainer: str
    fine_tune: str
    trained_at: Time


class ModelSummary(Wire):
    id: str
    name: str
    status: Literal["draft", "ready", "deleting"]
    kind: Kind
    class_word: str
    trigger_word: str
    consent: Consent
    versions: list[ModelVersion] = Field(description="Oldest first.")
    chosen_version: str | None = Field(description="Images are made with it; null before the first training.")
    created_at: Time
    updated_at: Time


class LatestTraining(Wire):
    id: str
    status: Status
    percent: int


class Model(ModelSummary):
    photos: PhotoReport
    latest_training: LatestTraining | None
    next_step: Said
    poll_after_s: int | None = Field(
        description="Ask again after so many seconds; null when nothing goes on."
    )


class ModelPage(Wire):
    """Newest first, without those being deleted."""

    items: list[ModelSummary]
    cursor: str | None = Field(description="Opaque; null on the last page.")
