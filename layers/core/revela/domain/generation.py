"""A generation: images asked for with one prompt and one model."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from revela.domain.account import Place
from revela.domain.job import Job, State
from revela.domain.judgement import Found, HarmCategory
from revela.domain.photo import ModelKind
from revela.domain.trigger_words import Subject


class Doubt(BaseModel):
    """What the prompt policy is uncertain of: a judge decides before anything is made of it."""

    model_config = ConfigDict(frozen=True)

    field: str
    rule: str
    category: str


class Quarantined(BaseModel):
    """One image that nobody may see yet; `found` None: no judge was reached. Else as of Output."""

    model_config = ConfigDict(frozen=True)

    index: int
    key: str
    content_type: str
    extension: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    found: Found | None = None


class Blocked(BaseModel):
    """One image that nobody will see; kept at `key` as long as it can be appealed, if at all."""

    model_config = ConfigDict(frozen=True)

    index: int
    category: HarmCategory
    key: str | None = None
    appealable_until: datetime | None = None


class Appeal(BaseModel):
    """A user's word against what was blocked, for whoever operates the installation."""

    model_config = ConfigDict(frozen=True)

    appealed_at: datetime
    reason: str | None = None


class Output(BaseModel):
    """One published image; sizes in pixels and bytes, `sha256` of the file as it is published."""

    model_config = ConfigDict(frozen=True)

    index: int
    key: str
    content_type: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    thumbnail_key: str
    thumbnail_width: int
    thumbnail_height: int


class OwnVersion(BaseModel):
    """The version of a personal model that images are made with, as it was when they were asked for."""

    model_config = ConfigDict(frozen=True)

    version_id: str
    fine_tune: str
    kind: ModelKind
    trigger_word: str
    class_word: str

    @property
    def subject(self) -> Subject:
        return Subject(self.kind, self.trigger_word, self.class_word)


class Generation(Job):
    """`params` are complete; the model renders its own input of them.

    `model` is an id of the catalog, or of a personal model, whose version `own` is.
    """

    KIND: ClassVar[Literal["generation", "training"]] = "generation"

    model: str
    params: dict[str, Any]
    credits_per_image: int
    own: OwnVersion | None = None
    # Whether a judge has to be asked about the prompt, and when it said that it may be made.
    doubts: tuple[Doubt, ...] = ()
    prompt_judged_at: datetime | None = None
    # Since when a judge is awaited, first of the prompt, then of the images; how often it was asked in vain.
    judging_since: datetime | None = None
    judge_waits: int = 0
    # Set while images are being judged, no longer.
    quarantined: tuple[Quarantined, ...] = ()
    outputs: tuple[Output, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    appeal: Appeal | None = None

    @property
    def appealable(self) -> bool:
        """Tell whether there is anything that somebody could look at again."""
        return self.settled and bool(self.blocked)

    @property
    def undecided(self) -> bool:
        return bool(self.doubts) and self.prompt_judged_at is None

    @property
    def awaits_judge(self) -> bool:
        return self.undecided and self.judging_since is not None

    @property
    def place(self) -> Place:
        return "waiting" if self.state is State.WAITING else "running"

    @property
    def runs(self) -> str:
        return self.model

    @property
    def num_outputs(self) -> int:
        return int(self.params["num_outputs"])

    @property
    def images_asked(self) -> int:
        return self.num_outputs

    @property
    def pointer_id(self) -> str:
        """The key of the item that marks this generation's place among its user's waiting ones."""
        return f"wait#{self.id.removeprefix('gen_')}"

    @property
    def quarantine_prefix(self) -> str:
        return f"quarantine/{self.user_id}/{self.id}/"

    @property
    def published_prefix(self) -> str:
        return f"users/{self.user_id}/generations/{self.id}/"
