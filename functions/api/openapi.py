"""The OpenAPI document, assembled from the operations, the schemas and the catalog.

`make docs` writes it to docs/openapi.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from api import problems, responses, schemas
from api.catalog_schema import narrowed_generation, narrowed_training
from api.examples import generations, models, photos
from api.operations import OPERATIONS, STATUS_OF, Operation, Success
from api.rendering.catalog import whole_catalog
from api.requests import (
    BODY_MAX_BYTES,
    GENERATION_ID,
    IDEMPOTENCY_KEY,
    MODEL_ID,
    PHOTO_ID,
    TRAINING_ID,
)
from revela import __version__
from revela.domain import messages, training_messages
from revela.domain.catalog import Catalog
from revela.domain.errors import InvalidParam

Json = dict[str, Any]

# Fills the texts of every problem's example.
EXAMPLE_ARGS = {
    "maximum": BODY_MAX_BYTES,
    "required": 12,
    "available": 5,
    "state": "succeeded",
    "limit": 10,
    "running": 1,
    "waiting": 5,
    "model": "flux-dev",
    "minutes": 4,
    "alternatives": "flux-schnell, sdxl",
    "accepted": 3,
    "needed": 5,
    "left": 4,
    "until": "2026-03-03 12:00 UTC",
}
EXAMPLE_INVALID_PARAMS = (InvalidParam("num_outputs", "out_of_range", {"minimum": 1, "maximum": 4}),)
REQUEST_HEADERS: dict[str, Json] = {
    "Accept-Language": {
        "description": "Language of texts for people: pt-BR or en (default).",
        "schema": {"type": "string"},
        "example": "pt-BR",
    },
    "Idempotency-Key": {
        "description": "Made once per intent. The same key with the same body within 24 hours gets the first "
        "answer again; with another body a 422.",
        "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY.pattern}$"},
        "example": "0d1c2f5e-6a0b-4f39-9f0e-0f8f6a1f2b3c",
    },
    "If-None-Match": {
        "description": "ETag of what you have: answered with 304 while it is still so.",
        "schema": {"type": "string"},
        "example": 'W/"7-en"',
    },
}
HEADERS: dict[str, Json] = {
    "Location": {"description": "Address of what was made.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}},
    "Idempotency-Replayed": {
        "description": "Present when this is the first answer given again.",
        "schema": {"type": "string", "const": "true"},
    },
    "RateLimit-Limit": {"description": "Images per day on the plan.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {
        "description": "Images left today; absent from a replayed answer.",
        "schema": {"type": "integer"},
    },
    "RateLimit-Reset": {
        "description": "Seconds until the day ends, at midnight UTC.",
        "schema": {"type": "integer"},
    },
    "ETag": {"description": "For If-None-Match.", "schema": {"type": "string"}},
    "Content-Language": {
        "description": "Language of the texts.",
        "schema": {"type": "string", "enum": ["pt-BR", "en"]},
    },
}
CODES: dict[type[BaseModel], Iterable[str]] = {
    schemas.Problem: STATUS_OF,
    schemas.InvalidParam: messages.PARAMS,
    schemas.Failure: messages.FAILURES,
    schemas.TrainingFailure: training_messages.TRAINING_FAILURES,
    schemas.PhotoRemark: messages.PHOTOS,
    schemas.AdviceRemark: training_messages.TRAINING_ADVICE,
    schemas.Said: (*messages.STEPS, *messages.PHOTOS),
}


def document(catalog: Catalog) -> Json:
    """Return the document; its request schema tells the ranges of this catalog."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, catalog)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Revela API",
            "version": __version__,
            "description": "Images from AI models, and models of one's own trained from photos, paid for in "
            "credits: held when asked for, charged when delivered. Errors are problem documents (RFC 9457) "
            "with a stable `code`. Times are UTC.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": _schemas(catalog),
            "headers": HEADERS,
            "examples": {code: {"value": _problem_example(code)} for code in STATUS_OF},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Access token of the deployment's issuer.",
                }
            },
        },
    }


def _operation(operation: Operation, catalog: Catalog) -> Json:
    described: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
    }
    if operation.public:
        described["security"] = []
    if parameters := [*_path_parameters(operation), *_query(operation), *_header_parameters(operation)]:
        described["parameters"] = parameters
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "description": f"At most {BODY_MAX_BYTES} bytes.",
            "content": {
                responses.CONTENT_TYPE: {
                    "schema": _ref(operation.body),
                    "examples": {
                        name: {"value": request.model_dump(mode="json", exclude_none=True)}
                        for name, request in operation.body_examples.items()
                    },
                }
            },
        }
    described["responses"] = {str(s.status): _success(s, catalog) for s in operation.successes} | _problems(
        operation
    )
    return described


def _path_parameters(operation: Operation) -> Iterable[Json]:
    things = {
        "id": (MODEL_ID, models.MODEL_ID)
        if operation.path.startswith("/v1/models")
        else (GENERATION_ID, generations.GENERATION_ID),
        "photo_id": (PHOTO_ID, photos.PHOTO_ID),
        "training_id": (TRAINING_ID, models.TRAINING_ID),
    }
    for name, (form, example) in things.items():
        if f"{{{name}}}" in operation.path:
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": "Any other form is answered with 404.",
                "schema": {"type": "string", "pattern": f"^{form.pattern}$"},
                "example": example,
            }


def _query(operation: Operation) -> Iterable[Json]:
    if operation.query is None:
        return
    for name, schema in operation.query.model_json_schema(schema_generator=_Schemas)["properties"].items():
        # Absent is how a query says null.
        given: Json = next((option for option in schema.pop("anyOf", ()) if option != {"type": "null"}), {})
        description = schema.pop("description")
        if schema.get("default", ...) is None:
            del schema["default"]
        yield {"name": name, "in": "query", "description": description, "schema": schema | given}


def _header_parameters(operation: Operation) -> Iterable[Json]:
    for name in operation.headers:
        yield {"name": name, "in": "header", **REQUEST_HEADERS[name]}


def _success(success: Success, catalog: Catalog) -> Json:
    described: Json = {"description": success.description}
    if success.headers:
        described["headers"] = {name: _header_ref(name) for name in success.headers}
    if success.schema:
        example = success.example or _catalog_example(catalog)
        described["content"] = {
            responses.CONTENT_TYPE: {
                "schema": _ref(success.schema),
                "example": example.model_dump(mode="json"),
            }
        }
    elif success.status == 200:
        described["content"] = {responses.CONTENT_TYPE: {"schema": {"type": "object"}}}
    return described


def _problems(operation: Operation) -> dict[str, Json]:
    by_status = groupby(sorted(operation.problems, key=STATUS_OF.__getitem__), key=STATUS_OF.__getitem__)
    described = {str(status): _problem(status, list(codes)) for status, codes in by_status}
    # Refused before this API sees them: bad tokens, and more requests than the whole API takes.
    for status, needed in (("401", not operation.public), ("429", True)):
        if needed:
            answer = described.setdefault(status, {"description": "Too many requests.", "content": {}})
            answer["content"][responses.CONTENT_TYPE] = {"schema": _ref(schemas.GatewayRefusal)}
    return described


def _problem(status: int, codes: list[str]) -> Json:
    described: Json = {
        "description": " or ".join(f"`{code}`" for code in codes),
        "headers": {"Content-Language": _header_ref("Content-Language")},
        "content": {
            problems.CONTENT_TYPE: {
                "schema": _ref(schemas.Problem),
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }
    if status in (429, 503) or "account_suspended" in codes:
        described["headers"]["Retry-After"] = _header_ref("Retry-After")
    return described


def _problem_example(code: str) -> Any:
    example = problems.problem(
        STATUS_OF[code],
        code,
        language="en",
        request_id="JKJaXmPLvHcESHA=",
        args=EXAMPLE_ARGS,
        invalid_params=EXAMPLE_INVALID_PARAMS if code == "invalid_request" else (),
    )
    assert example.body is not None
    return json.loads(example.body)


def _catalog_example(catalog: Catalog) -> schemas.Catalog:
    first = catalog.model_copy(
        update={
            "models": catalog.models[:1],
            "fine_tunes": catalog.fine_tunes[:1],
            "trainers": catalog.trainers[:1],
            "plans": catalog.plans[:1],
        }
    )
    return whole_catalog(first, "en")


def _schemas(catalog: Catalog) -> Json:
    used: dict[type[BaseModel], JsonSchemaMode] = {
        schemas.Problem: "serialization",
        schemas.GatewayRefusal: "serialization",
    }
    for operation in OPERATIONS:
        if operation.body:
            used[operation.body] = "validation"
        used |= {s.schema: "serialization" for s in operation.successes if s.schema}
    _, definitions = models_json_schema(
        list(used.items()), ref_template="#/components/schemas/{model}", schema_generator=_Schemas
    )
    found: Json = definitions["$defs"]
    for request, narrowed in (
        (schemas.GenerationRequest.__name__, narrowed_generation),
        (schemas.TrainingRequest.__name__, narrowed_training),
    ):
        found[request] = narrowed(found[request], catalog)
    for schema, codes in CODES.items():
        found[schema.__name__]["properties"]["code"]["enum"] = list(codes)
    return dict(sorted(found.items()))


class _Schemas(GenerateJsonSchema):
    """Fields in the order of the schemas, and without titles: "Num Outputs" says no more than num_outputs."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # pydantic's signature
        return False

    def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ARG002  # pydantic's signature
        return value


def _ref(schema: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{schema.__name__}"}


def _header_ref(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
