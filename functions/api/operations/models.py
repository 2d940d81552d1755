"""Models of one's own: from a draft to a trained one, and its end."""

from __future__ import annotations

from api import schemas
from api.examples import models as examples
from api.operations.operation import BODY, SIGNED_IN, Operation, Success

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/models",
        "createModel",
        "Models",
        "Begin a model of your own",
        "A draft that photos are added to. Whoever is to be seen has to agree: `consent` is kept with the "
        "time, and with a hash of the address it came from.",
        (
            Success(
                201, "The draft.", schemas.Model, ("Location", "ETag", "Content-Language"), examples.DRAFT
            ),
        ),
        (
            *BODY,
            "account_suspended",
            "plan_without_models",
            "write_conflict",
            "prompt_refused",
            "too_many_models",
            *SIGNED_IN,
        ),
        body=schemas.ModelRequest,
        body_examples=examples.REQUESTS,
    ),
    Operation(
        "get",
        "/v1/models",
        "listModels",
        "Models",
        "List models of your own",
        "Newest first. What photos a model has and what to do next, it tells alone.",
        (Success(200, "A page.", schemas.ModelPage, example=examples.MODELS),),
        ("invalid_request", *SIGNED_IN),
        query=schemas.PageQuery,
    ),
    Operation(
        "get",
        "/v1/models/{id}",
        "getModel",
        "Models",
        "Look at one model",
        "`next_step` leads from the first photo to the first image. Poll it with If-None-Match as long as "
        "`poll_after_s` says so; a model that is being deleted is shown until it is gone.",
        (
            Success(
                200,
                "The model.",
                schemas.Model,
                ("ETag", "Retry-After", "Content-Language"),
                examples.READY,
            ),
            Success(304, "It is as you have it.", headers=("ETag", "Retry-After", "Content-Language")),
        ),
        ("not_found", *SIGNED_IN),
        headers=("If-None-Match", "Accept-Language"),
    ),
    Operation(
        "patch",
        "/v1/models/{id}",
        "changeModel",
        "Models",
        "Rename a model, or choose another of its versions",
        "Images that were asked for before are made with the version of then.",
        (
            Success(
                200,
                "The model.",
                schemas.Model,
                ("ETag", "Retry-After", "Content-Language"),
                examples.READY,
            ),
        ),
        (
            *BODY,
            "not_found",
            "model_untrained",
            "model_deleting",
            "write_conflict",
            "prompt_refused",
            *SIGNED_IN,
        ),
        body=schemas.ModelChange,
        body_examples=examples.CHANGES,
    ),
    Operation(
        "delete",
        "/v1/models/{id}",
        "deleteModel",
        "Models",
        "Delete a model, its photos and its versions",
        "Here and at the provider. What runs for it is canceled first, so it takes a while: it is shown "
        "until it is gone. Images that were made with it stay. Asking again changes nothing.",
        (
            Success(
                202,
                "Closed to everybody, and being deleted.",
                schemas.Model,
                ("ETag", "Retry-After", "Content-Language"),
                examples.DELETING,
            ),
            Success(204, "Gone already."),
        ),
        ("not_found", "write_conflict", *SIGNED_IN),
    ),
    Operation(
        "delete",
        "/v1/models/{id}/consent",
        "withdrawConsent",
        "Models",
        "Withdraw the consent of whoever the model shows",
        "Nothing is made with the model any more, and of what is under way no image is published. The model "
        "is deleted: its photos, its versions and their weights, here and at the provider. Images that were "
        "published before stay until they are deleted. Asking again changes nothing.",
        (
            Success(
                202,
                "Withdrawn; the model is closed to everybody, and being deleted.",
                schemas.Model,
                ("ETag", "Retry-After", "Content-Language"),
                examples.WITHDRAWN,
            ),
            Success(204, "Gone already."),
        ),
        ("not_found", "write_conflict", *SIGNED_IN),
    ),
)
