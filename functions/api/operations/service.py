"""What is open to everybody."""

from __future__ import annotations

from api import schemas
from api.examples import account as examples
from api.operations.operation import ANYWHERE, Operation, Success

OPERATIONS: tuple[Operation, ...] = (
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
