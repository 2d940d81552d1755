"""Training photos: how they are uploaded, judged, corrected and removed."""

from __future__ import annotations

from api import schemas
from api.examples import photos as examples
from api.operations.operation import BODY, SIGNED_IN, Operation, Success

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/models/{id}/photos",
        "requestPhotoUploads",
        "Photos",
        "Ask for forms to upload photos with",
        "Each form takes one file, straight to the bucket: POST its fields and the file as "
        "multipart/form-data, without the token. The photo is then judged by itself.",
        (
            Success(
                201,
                "A form for each file, in the order of the request.",
                schemas.PhotoUploads,
                example=examples.UPLOADS,
            ),
        ),
        (
            *BODY,
            "not_found",
            "model_deleting",
            "too_many_photos",
            "too_many_rejected_photos",
            "write_conflict",
            *SIGNED_IN,
        ),
        body=schemas.PhotoUploadsRequest,
        body_examples=examples.REQUESTS,
    ),
    Operation(
        "get",
        "/v1/models/{id}/photos",
        "listPhotos",
        "Photos",
        "List a model's photos with their verdicts",
        "All of them, oldest first, and what the set is good for. Poll it with If-None-Match as long as "
        "`poll_after_s` says so; the ETag changes with the photos, and whenever URLs are signed anew.",
        (
            Success(
                200,
                "The photos.",
                schemas.PhotoSet,
                ("ETag", "Retry-After", "Content-Language"),
                examples.PHOTOS,
            ),
            Success(304, "They are as you have them.", headers=("ETag", "Retry-After", "Content-Language")),
        ),
        ("not_found", "model_deleting", *SIGNED_IN),
        headers=("If-None-Match", "Accept-Language"),
    ),
    Operation(
        "patch",
        "/v1/models/{id}/photos/{photo_id}",
        "changePhoto",
        "Photos",
        "Correct how much of the person a photo shows",
        "Of an accepted photo.",
        (Success(200, "The photo.", schemas.Photo, ("Content-Language",), examples.ACCEPTED),),
        (*BODY, "not_found", "photo_not_accepted", "model_deleting", "write_conflict", *SIGNED_IN),
        body=schemas.PhotoChange,
        body_examples=examples.CHANGES,
    ),
    Operation(
        "delete",
        "/v1/models/{id}/photos/{photo_id}",
        "deletePhoto",
        "Photos",
        "Delete a photo",
        "A training that has not taken it yet fails, and costs nothing.",
        (Success(204, "Gone."),),
        ("not_found", "write_conflict", *SIGNED_IN),
    ),
)
