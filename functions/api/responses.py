"""Answers that succeed: JSON bodies with the headers that all of their kind carry."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.event_handler.api_gateway import Response

from api.schemas import Wire

CONTENT_TYPE = "application/json"
# A user's own data: kept by the client at most, and asked about (ETag) before each use.
PRIVATE = "private, no-cache"
PUBLIC = "public, max-age=300"


def answer(
    resource: Wire,
    *,
    status: int = 200,
    cache_control: str = PRIVATE,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    return json_text(resource.model_dump_json(), status=status, cache_control=cache_control, headers=headers)


def json_text(
    text: str, *, status: int = 200, cache_control: str, headers: Mapping[str, str] | None = None
) -> Response[str]:
    return Response(
        status,
        content_type=CONTENT_TYPE,
        body=text,
        headers={"Cache-Control": cache_control, **(headers or {})},
    )


def without_body(status: int, headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response(status, body="", headers=headers)
