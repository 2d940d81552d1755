"""Training photos over the wire: upload forms, verdicts, and what a set is good for."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.wire import Said, Time, Url, Wire

PhotoStatus = Literal["awaiting_upload", "checking", "accepted", "rejected", "expired"]
PhotoCategory = Literal["face", "half_body", "full_body"]
UPLOADS_MAX = 30


class PhotoFile(Wire):
    model_config = ConfigDict(strict=True, extra="forbid")

    content_type: Literal["image/jpeg", "image/png", "image/webp", "image/heic", "image/heif"] = Field(
        description="As the file says; what it really is will be seen."
    )


class PhotoUploadsRequest(Wire):
    """One entry for each file that is going to be uploaded."""

    model_config = ConfigDict(strict=True, extra="forbid")

    files: list[PhotoFile] = Field(min_length=1, max_length=UPLOADS_MAX)


class PhotoChange(Wire):
    model_config = ConfigDict(strict=True, extra="forbid")

    category: PhotoCategory = Field(description="How much of the person the photo shows.")


class UploadForm(Wire):
    """POST to `url` as multipart/form-data: every one of `fields`, and `file` last."""

    url: Url
    fields: dict[str, str]
    expires_at: Time
    max_bytes: int


class PhotoUpload(Wire):
    id: str
    content_type: str
    upload: UploadForm


class PhotoUploads(Wire):
    """In the order of the request."""

    photos: list[PhotoUpload]


class PhotoRemark(Said):
    """`photo_id` is another photo that is spoken of, as the one that this one is almost the same as."""

    photo_id: str | None


class PhotoVerdict(Wire):
    """`problems` are why a photo was rejected, the weightiest first; `notes` only tell."""

    accepted: bool
    problems: list[PhotoRemark]
    notes: list[PhotoRemark]


class PhotoImage(Wire):
    """The copy that is trained with: upright, its metadata left behind. `sha256` in hex."""

    url: Url
    expires_at: Time = Field(description="The URL works until then; ask again for a new one.")
    width: int
    height: int
    size_bytes: int
    sha256: str


class Photo(Wire):
    """`category` is the user's, or the verdict's; null without a face."""

    id: str
    status: PhotoStatus
    content_type: str = Field(description="As it was declared.")
    category: PhotoCategory | None
    verdict: PhotoVerdict | None = Field(description="Null until it was checked.")
    image: PhotoImage | None = Field(description="Of an accepted photo, as long as it is kept.")
    kept_until: Time | None
    created_at: Time
    updated_at: Time


class PhotoCategories(Wire):
    face: int
    half_body: int
    full_body: int


class PhotoLights(Wire):
    dark: int
    even: int
    bright: int


class PhotoReport(Wire):
    """What the set is good for; `missing` says what would make it better, what matters most first."""

    accepted: int
    rejected: int
    pending: int = Field(description="Not uploaded or not judged yet.")
    expired: int
    categories: PhotoCategories
    lights: PhotoLights
    readiness: Literal["not_trainable", "trainable", "recommended"]
    missing: list[Said]


class PhotoSet(Wire):
    """All photos of a model, oldest first."""

    items: list[Photo]
    report: PhotoReport
    poll_after_s: int | None = Field(description="Ask again after so many seconds; null when all are judged.")
