"""What an operation of the API is, and the problems that any of them may answer with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from api import schemas

# What each code of a problem comes with, as the raisers of `revela.domain.errors` decide it.
STATUS_OF: dict[str, int] = {
    "malformed_json": 400,
    "unauthorized": 401,
    "insufficient_credits": 402,
    "account_suspended": 403,
    "plan_without_models": 403,
    "plan_without_trainings": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "generation_running": 409,
    "generation_saving": 409,
    "generation_ended": 409,
    "nothing_to_appeal": 409,
    "appeal_too_late": 409,
    "too_few_photos": 409,
    "too_many_photos": 409,
    "too_many_rejected_photos": 409,
    "photo_not_accepted": 409,
    "model_untrained": 409,
    "model_deleting": 409,
    "training_saving": 409,
    "training_ended": 409,
    "write_conflict": 409,
    "request_too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "idempotency_key_reused": 422,
    "prompt_refused": 422,
    "daily_limit_reached": 429,
    "too_many_jobs": 429,
    "too_many_trainings": 429,
    "too_many_models": 429,
    "internal_error": 500,
    "model_resting": 503,
    "all_models_resting": 503,
    "temporarily_unavailable": 503,
}
ANYWHERE = ("internal_error", "temporarily_unavailable")
SIGNED_IN = ("unauthorized", *ANYWHERE)
BODY = ("malformed_json", "request_too_large", "unsupported_media_type", "invalid_request")
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
    """`id` is the operationId; path parameters are those in braces; `headers` those it reads.

    `body` None: it takes none.
    """

    method: Literal["get", "post", "patch", "delete"]
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
    body_required: bool = True
    body_examples: Mapping[str, schemas.Wire] = field(default_factory=dict)
    headers: tuple[str, ...] = ("Accept-Language",)
