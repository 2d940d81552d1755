"""Who writes to PhotoQueue: S3, by the key of what was uploaded, and `reconcile_jobs`, by the photo's row."""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, TypeAdapter

from revela.ports import Ref

INCOMING = "incoming/"


class RowMessage(BaseModel):
    user_id: str
    id: str


class UploadedObject(BaseModel):
    key: str


class UploadedTo(BaseModel):
    object: UploadedObject


class Upload(BaseModel):
    s3: UploadedTo


class UploadsMessage(BaseModel):
    Records: list[Upload]


class TestMessage(BaseModel):
    """Sent once, when the bucket is told of the queue."""

    Event: Literal["s3:TestEvent"]


_MESSAGE: TypeAdapter[RowMessage | UploadsMessage | TestMessage] = TypeAdapter(
    RowMessage | UploadsMessage | TestMessage
)


def refs_of(body: str) -> list[Ref]:
    """Return the rows of the photos that a message is about. Raises ValueError when it is none of ours."""
    match _MESSAGE.validate_json(body):
        case RowMessage(user_id=user_id, id=id_):
            return [Ref(user_id, id_)]
        case UploadsMessage(Records=uploads):
            return [_ref_of(upload.s3.object.key) for upload in uploads]
        case TestMessage():
            return []


def _ref_of(quoted_key: str) -> Ref:
    """S3 quotes keys as forms do. A user's id may have slashes, the others have none."""
    key = unquote_plus(quoted_key)
    user_id, model_id, photo_id = key.removeprefix(INCOMING).rsplit("/", 2)
    if not key.startswith(INCOMING) or not photo_id.startswith("pho_"):
        raise ValueError("not the key of an uploaded photo")
    return Ref(user_id, f"{model_id}#{photo_id}")
