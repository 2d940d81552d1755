"""Asking for images."""

from __future__ import annotations

from api import schemas
from api.examples import generations as examples
from api.operations.operation import BODY, RATE_LIMIT, SIGNED_IN, Operation, Success

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/generations",
        "createGeneration",
        "Generations",
        "Ask for images",
        "Holds the credits and queues the job; the answer does not wait for the images. What is not "
        "delivered is not charged. Send an Idempotency-Key, and repeat the request when its answer was lost.",
        (
            Success(
                202,
                "Accepted: `queued`, or `waiting` while the plan's places are taken.",
                schemas.Generation,
                ("Location", "Retry-After", "Idempotency-Replayed", *RATE_LIMIT, "Content-Language"),
                examples.QUEUED,
            ),
        ),
        (
            "malformed_json",
            "insufficient_credits",
            "account_suspended",
            "write_conflict",
            "request_too_large",
            "unsupported_media_type",
            "invalid_request",
            "idempotency_key_reused",
            "prompt_refused",
            "daily_limit_reached",
            "too_many_jobs",
            "not_found",
            "model_untrained",
            "model_deleting",
            "model_resting",
            "all_models_resting",
            *SIGNED_IN,
        ),
        body=schemas.GenerationRequest,
        body_examples=examples.REQUESTS,
        headers=("Idempotency-Key", "Accept-Language"),
    ),
    Operation(
        "get",
        "/v1/generations",
        "listGenerations",
        "Generations",
        "List generations",
        "Newest first. URLs of all images on the page are signed for you.",
        (Success(200, "A page.", schemas.GenerationPage, ("Content-Language",), examples.GENERATIONS),),
        ("invalid_request", *SIGNED_IN),
        query=schemas.GenerationsQuery,
    ),
    Operation(
        "get",
        "/v1/generations/{id}",
        "getGeneration",
        "Generations",
        "Look at one generation",
        "Poll it with If-None-Match until it has ended. The ETag changes with the generation and, when it "
        "has images, whenever their URLs are signed anew: a 304 never leaves you with a dying URL.",
        (
            Success(
                200,
                "The generation.",
                schemas.Generation,
                ("ETag", "Retry-After", "Content-Language"),
                examples.SUCCEEDED,
            ),
            Success(304, "It is as you have it.", headers=("ETag", "Retry-After", "Content-Language")),
        ),
        ("not_found", *SIGNED_IN),
        headers=("If-None-Match", "Accept-Language"),
    ),
    Operation(
        "post",
        "/v1/generations/{id}/cancel",
        "cancelGeneration",
        "Generations",
        "Cancel a generation",
        "Asking again changes nothing. Takes no body.",
        (
            Success(
                200,
                "Canceled; the credits are back.",
                schemas.Generation,
                ("Content-Language",),
                examples.CANCELED,
            ),
            Success(
                202,
                "The provider is being asked: keep watching. Images done first are kept and charged.",
                schemas.Generation,
                ("Retry-After", "Content-Language"),
                examples.CANCELING,
            ),
        ),
        ("not_found", "generation_saving", "generation_ended", *SIGNED_IN),
    ),
    Operation(
        "post",
        "/v1/generations/{id}/appeal",
        "appealGeneration",
        "Generations",
        "Appeal against blocked images",
        "Has somebody of the service look at them again; `reason` is kept for them. Possible as long as a "
        "blocked image is kept (`appealable_until`). Asking again changes nothing. May come without a body.",
        (
            Success(
                202,
                "The generation, with its appeal.",
                schemas.Generation,
                ("ETag", "Content-Language"),
                examples.APPEALED,
            ),
        ),
        (*BODY, "not_found", "nothing_to_appeal", "appeal_too_late", *SIGNED_IN),
        body=schemas.AppealRequest,
        body_required=False,
        body_examples=examples.APPEALS,
    ),
    Operation(
        "delete",
        "/v1/generations/{id}",
        "deleteGeneration",
        "Generations",
        "Delete a generation and its images",
        "Possible once it has ended. What was charged stays charged.",
        (Success(204, "Gone."),),
        ("not_found", "generation_running", *SIGNED_IN),
    ),
)
