"""A training photo: its life, and the words for what is found in it.

What is found becomes a verdict in `photo_verdict`, verdicts become the set's report in `photo_report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

BYTES_MAX = 30_000_000
# What a client may declare of an upload. The bytes decide; browsers call HEIC either way.
CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif")


class PhotoState(StrEnum):
    AWAITING_UPLOAD = "awaiting_upload"
    CHECKING = "checking"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def decided(self) -> bool:
        return self in (PhotoState.ACCEPTED, PhotoState.REJECTED)


# A decided photo is never decided again; it can only expire.
MOVES: Mapping[PhotoState, tuple[PhotoState, ...]] = {
    PhotoState.AWAITING_UPLOAD: (PhotoState.CHECKING, PhotoState.EXPIRED),
    PhotoState.CHECKING: (
        PhotoState.CHECKING,
        PhotoState.ACCEPTED,
        PhotoState.REJECTED,
        PhotoState.EXPIRED,
    ),
    PhotoState.ACCEPTED: (PhotoState.EXPIRED,),
    PhotoState.REJECTED: (PhotoState.EXPIRED,),
    PhotoState.EXPIRED: (),
}


class ModelKind(StrEnum):
    """What a model is to learn from its photos."""

    FACE = "face"
    HALF_BODY = "half_body"
    FULL_BODY = "full_body"
    STYLE = "style"

    @property
    def of_a_person(self) -> bool:
        return self is not ModelKind.STYLE


class Category(StrEnum):
    """How much of the person a photo shows."""

    FACE = "face"
    HALF_BODY = "half_body"
    FULL_BODY = "full_body"


class Light(StrEnum):
    DARK = "dark"
    EVEN = "even"
    BRIGHT = "bright"


class PhotoFormat(StrEnum):
    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    HEIC = "heic"


class Remark(BaseModel):
    """Names a text of `messages.PHOTOS`; `photo_id` is another photo that it speaks of."""

    model_config = ConfigDict(frozen=True)

    code: str
    args: dict[str, int] = {}
    photo_id: str | None = None


class Exposure(BaseModel):
    """Luma, 0 to 255: `low` and `high` are its 10th and 90th percentile; shares, 0 to 1, are clipped."""

    model_config = ConfigDict(frozen=True)

    mean: int
    low: int
    high: int
    clipped_dark: float
    clipped_bright: float


class CleanCopy(BaseModel):
    """The JPEG that is trained with, metadata left behind; `sha256` in hex."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    size_bytes: int
    sha256: str


class PhotoFacts(BaseModel):
    """What the file itself tells. Sizes are those of the upright image.

    `sharpness` goes from 0 (a smear) to 1, at one working size for all photos. `perceptual_hash` is 64
    bits in hex: few differ between copies of one photo.
    """

    model_config = ConfigDict(frozen=True)

    format: PhotoFormat
    declared_type_differs: bool
    width: int
    height: int
    size_bytes: int
    sharpness: float
    exposure: Exposure
    light: Light
    perceptual_hash: str
    clean: CleanCopy


@dataclass(frozen=True)
class Unreadable:
    """A file that was not decoded, and why; `detail` is for operators."""

    remark: Remark
    detail: str | None = None


@dataclass(frozen=True)
class Box:
    """Shares of the image's width and height; parts of it may lie outside."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class AgeRange:
    """Years, as an inspector estimates them."""

    low: int
    high: int


@dataclass(frozen=True)
class Pose:
    """Degrees."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Face:
    """None: this inspector does not know. `confidence` from 0 to 1."""

    box: Box
    confidence: float | None = None
    age: AgeRange | None = None
    occluded: bool | None = None
    sunglasses: bool | None = None
    eyes_open: bool | None = None
    pose: Pose | None = None


@dataclass(frozen=True)
class FaceReport:
    """Largest face first. `knows_age` says whether a face without an age is news."""

    faces: tuple[Face, ...]
    knows_age: bool


class Verdict(BaseModel):
    """`problems` reject, the first one leading; `notes` only tell. `category` is None without a face."""

    model_config = ConfigDict(frozen=True)

    problems: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    category: Category | None = None

    @property
    def accepted(self) -> bool:
        return not self.problems


class ImpossibleMove(Exception):
    """A move that `MOVES` does not list: a bug, never a user's doing."""


class Photo(BaseModel):
    """One photo, whole. `object_version` is the upload that was checked, whatever came to its key later.

    `chosen_category` is the user's correction of the verdict's.
    """

    model_config = ConfigDict(frozen=True)

    user_id: str
    model_id: str
    id: str
    state: PhotoState
    version: int = 1
    declared_type: str
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None
    expires_at: datetime | None = None
    object_version: str | None = None
    facts: PhotoFacts | None = None
    verdict: Verdict | None = None
    chosen_category: Category | None = None

    @property
    def row_id(self) -> str:
        return f"{self.model_id}#{self.id}"

    @property
    def upload_key(self) -> str:
        return upload_key(self.user_id, self.model_id, self.id)

    @property
    def clean_prefix(self) -> str:
        return clean_prefix(self.user_id, self.model_id, self.id)

    @property
    def clean_key(self) -> str | None:
        """Named by its bytes: a check of what was uploaded later cannot write over what was judged."""
        return f"{self.clean_prefix}{self.facts.clean.sha256}.jpg" if self.facts else None

    @property
    def category(self) -> Category | None:
        return self.chosen_category or (self.verdict.category if self.verdict else None)


def upload_key(user_id: str, model_id: str, photo_id: str) -> str:
    """Return where a photo is posted to: the one key that its policy allows."""
    return f"incoming/{user_id}/{model_id}/{photo_id}"


def clean_prefix(user_id: str, model_id: str, photo_id: str) -> str:
    """Return what all clean copies of a photo lie below."""
    return f"photos/{user_id}/{model_id}/{photo_id}/"


def step(before: Photo, to: PhotoState, *, now: datetime, **changes: Any) -> Photo:
    """Return the row after a move. Raises ImpossibleMove when `MOVES` has no such one."""
    if to not in MOVES[before.state]:
        raise ImpossibleMove(f"{before.state} -> {to}")
    values: dict[str, Any] = {"state": to, "updated_at": now, "version": before.version + 1}
    if to.decided or to is PhotoState.EXPIRED:
        values["due_at"] = None
    return before.model_copy(update=values | changes)


def decided(before: Photo, verdict: Verdict, facts: PhotoFacts | Unreadable, *, now: datetime) -> Photo:
    """Return the row with its verdict. Raises ImpossibleMove when it is not being checked."""
    to = PhotoState.ACCEPTED if verdict.accepted else PhotoState.REJECTED
    found = facts if isinstance(facts, PhotoFacts) else None
    return step(before, to, now=now, verdict=verdict, facts=found)
