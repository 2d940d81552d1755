"""Tokens that are not accepted: what can be told of them without showing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jwt

# What a header takes; libraries quote one that they do not take in their error.
_HEADER_SAFE = re.compile(r"[!-~]+")


def fault_of(token: str) -> str | None:
    """Return why no header can carry a token; None when one can."""
    if _HEADER_SAFE.fullmatch(token):
        return None
    return "it has a space, a line break or a letter that no token has: was it read from a file?"


def what_it_says(token: str, *, issuer: str | None, audience: str | None, now: datetime) -> str:
    """Return what a JWT says of itself, unverified, and what does not fit.

    `issuer` and `audience` are what is wanted, where that is known.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return "it is no JWT"
    # Cognito's access tokens name their client instead of an audience.
    said_issuer, said_audience = claims.get("iss"), claims.get("aud", claims.get("client_id"))
    told = [f"its issuer is {said_issuer}, its audience {said_audience}"]
    if issuer not in (None, said_issuer):
        told.append(f"the API wants issuer {issuer}")
    if audience is not None and audience not in (said_audience, *_items(said_audience)):
        told.append(f"the API wants audience {audience}")
    return "; ".join([*told, *_about_time(claims, now)])


def _items(claim: object) -> list[object]:
    return claim if isinstance(claim, list) else []


def _about_time(claims: dict[str, Any], now: datetime) -> Iterator[str]:
    expires_at, valid_from = _instant(claims.get("exp")), _instant(claims.get("nbf"))
    if expires_at is None:
        yield "it names no expiry"
    elif expires_at <= now:
        yield f"it expired at {expires_at:%Y-%m-%d %H:%M} UTC"
    if valid_from is not None and valid_from > now:
        yield f"it is valid only from {valid_from:%Y-%m-%d %H:%M} UTC"


def _instant(claim: object) -> datetime | None:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return None
    try:
        return datetime.fromtimestamp(claim, UTC)
    except (ValueError, OverflowError, OSError):
        return None
