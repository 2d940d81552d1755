"""Answers that succeed: JSON bodies with the headers that all of their kind carry."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.event_handler.api_gateway import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from api.requests import language
from api.schemas import Wire
from revela.usecases.show_account import AccountView

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


def rate_limit(view: AccountView) -> dict[str, str]:
    """Tell how many images the plan allows per day, how many are left, and in how many seconds it ends."""
    limit = view.plan.images_per_day
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(max(0, limit - view.images_today)),
        "RateLimit-Reset": str(view.day_ends_in_s),
    }


def poll(after_s: int | None) -> dict[str, str]:
    """Tell when asking again makes sense, if it does."""
    return {} if after_s is None else {"Retry-After": str(after_s)}


def localized(event: APIGatewayProxyEventV2) -> dict[str, str]:
    return {"Content-Language": language(event), "Vary": "Accept-Language"}


def without_body(status: int, headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response(status, body="", headers=headers)
