"""Every operation of the API as its OpenAPI document tells it; the routes are held to this by a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from api import examples, schemas

# What each code of a problem comes with, as the raisers of `revela.domain.errors` decide it.
STATUS_OF: dict[str, int] = {
    "malformed_json": 400,
    "unauthorized": 401,
    "insufficient_credits": 402,
    "not_found": 404,
    "method_not_allowed": 405,
    "generation_running": 409,
    "generation_saving": 409,
    "generation_ended": 409,
    "write_conflict": 409,
    "request_too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "idempotency_key_reused": 422,
    "prompt_refused": 422,
    "daily_limit_reached": 429,
    "too_many_jobs": 429,
    "internal_error": 500,
    "model_resting": 503,
    "all_models_resting": 503,
    "temporarily_unavailable": 503,
}
ANYWHERE = ("internal_error", "temporarily_unavailable")
SIGNED_IN = ("unauthorized", *ANYWHERE)
RATE_LIMIT = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@dataclass(frozen=True)
class Success:
    """`headers` are names of HEADERS in `openapi`; the catalog's example is the catalog."""

    status: int
    description: str
    schema: type[schemas.Wire] | None = None
    headers: tuple[str, ...] = ()
    example: schemas.Wire | None = None


@dataclass(frozen=True)
class Operation:
    """`id` is the operationId; path parameters are those in braces; `headers` those it reads."""

    method: Literal["get", "post", "delete"]
    path: str
    id: str
    tag: str
    summary: str
    description: str
    successes: tuple[Success, ...]
    problems: tuple[str, ...]
    public: bool = False
    query: type[schemas.Wire] | None = None
    body: type[schemas.Wire] | None = None
    headers: tuple[str, ...] = ("Accept-Language",)


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
            "write_conflict",
            "request_too_large",
            "unsupported_media_type",
            "invalid_request",
            "idempotency_key_reused",
            "prompt_refused",
            "daily_limit_reached",
            "too_many_jobs",
            "model_resting",
            "all_models_resting",
            *SIGNED_IN,
        ),
        body=schemas.GenerationRequest,
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
        "delete",
        "/v1/generations/{id}",
        "deleteGeneration",
        "Generations",
        "Delete a generation and its images",
        "Possible once it has ended. What was charged stays charged.",
        (Success(204, "Gone."),),
        ("not_found", "generation_running", *SIGNED_IN),
    ),
    Operation(
        "get",
        "/v1/account",
        "getAccount",
        "Account",
        "Look at your account",
        "Plan, credits, and what is under way. The first call of a new user, whichever it is, opens the "
        "account on the free plan.",
        (Success(200, "The account.", schemas.Account, (*RATE_LIMIT, "Content-Language"), examples.ACCOUNT),),
        SIGNED_IN,
    ),
    Operation(
        "get",
        "/v1/account/ledger",
        "listLedger",
        "Account",
        "List what moved your credits",
        "Newest first; entries never change.",
        (Success(200, "A page.", schemas.LedgerPage, example=examples.LEDGER),),
        ("invalid_request", *SIGNED_IN),
        query=schemas.PageQuery,
    ),
    Operation(
        "get",
        "/v1/catalog",
        "getCatalog",
        "Catalog",
        "Models, parameters, prices and plans",
        "Everything a form needs, in the language of Accept-Language.",
        (
            Success(200, "The catalog.", schemas.Catalog, ("ETag", "Content-Language")),
            Success(304, "It is as you have it.", headers=("ETag", "Content-Language")),
        ),
        ANYWHERE,
        public=True,
        headers=("If-None-Match", "Accept-Language"),
    ),
    Operation(
        "get",
        "/v1/health",
        "getHealth",
        "Service",
        "Whether the API answers",
        "Touches nothing else.",
        (Success(200, "It does.", schemas.Health, example=examples.HEALTH),),
        ("internal_error",),
        public=True,
        headers=(),
    ),
    Operation(
        "get",
        "/v1/openapi.json",
        "getOpenApi",
        "Service",
        "This document",
        "OpenAPI 3.1.",
        (
            Success(200, "The document.", headers=("ETag",)),
            Success(304, "It is as you have it.", headers=("ETag",)),
        ),
        ("internal_error",),
        public=True,
        headers=("If-None-Match",),
    ),
)
