"""Problem documents (RFC 9457): how every refusal and failure is told to clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Response

from api import schemas
from revela.domain import messages
from revela.domain.errors import InvalidParam, Refused

CONTENT_TYPE = "application/problem+json"


class UnsupportedMediaType(Refused):
    status = 415


def problem(
    status: int,
    code: str,
    *,
    language: messages.Language,
    request_id: str,
    args: Mapping[str, Any] | None = None,
    invalid_params: Iterable[InvalidParam] = (),
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    body = schemas.Problem(
        type=f"urn:problem-type:revela:{code}",
        title=messages.TITLES[status][language],
        status=status,
        detail=messages.text(messages.ERRORS, code, language, args),
        code=code,
        invalid_params=[
            schemas.InvalidParam(
                name=param.name,
                code=param.code,
                reason=messages.text(messages.PARAMS, param.code, language, param.args),
            )
            for param in invalid_params
        ],
        request_id=request_id,
    )
    return Response(
        status,
        content_type=CONTENT_TYPE,
        body=body.model_dump_json(),
        headers={"Cache-Control": "no-store", "Content-Language": language, **(headers or {})},
    )
