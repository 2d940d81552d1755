"""What goes wrong, over the wire."""

from __future__ import annotations

from pydantic import Field

from api.schemas.wire import Wire


class InvalidParam(Wire):
    """One field, query parameter or header that was not accepted."""

    name: str
    code: str
    reason: str


class Problem(Wire):
    """RFC 9457. `code` is stable; `title`, `detail` and `reason` follow Accept-Language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    invalid_params: list[InvalidParam]
    request_id: str = Field(description="Quote it when you report a problem.")


class GatewayRefusal(Wire):
    """What API Gateway answers by itself: a bad token (401), too many requests (429)."""

    message: str
