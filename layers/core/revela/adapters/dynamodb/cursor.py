"""Cursors of listings: the sort key of the last item that was returned, made opaque."""

from __future__ import annotations

import base64
import re

from revela.domain.errors import InvalidParam, InvalidRequest


def encoded(id_: str) -> str:
    return base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def decoded(cursor: str, shape: re.Pattern[str]) -> str:
    """Return the sort key, which matches `shape`. Raises InvalidRequest."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        id_ = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        id_ = ""
    if not shape.fullmatch(id_):
        raise InvalidRequest("invalid_request", invalid_params=[InvalidParam("cursor", "invalid")])
    return id_
