"""Replicate's webhook signature: Standard Webhooks 1.0, HMAC-SHA256 over `id.timestamp.body`.

Source: Replicate's "Verify webhooks" page. Stricter than the official SDKs where these are lax: a
malformed entry neither passes nor hides the good one behind it, and only version `v1` counts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every such secret begins, not one of them


def signature(secret: str, *, message_id: str, timestamp: str, body: bytes) -> str | None:
    """Return the base64 signature of a message; None when the secret is not one that can sign."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not key:
        return None
    signed = b".".join((_bytes(message_id), _bytes(timestamp), body))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def is_signed(
    secrets: Iterable[str], signatures: str, *, message_id: str, timestamp: str, body: bytes
) -> bool:
    """Tell whether any `v1,<base64>` of the space-separated `signatures` was made with any secret.

    The time it takes says nothing of how close a wrong signature came.
    """
    given = [
        _bytes(value) for version, _, value in map(_split, signatures.split()) if version == "v1" and value
    ]
    found = False
    for secret in secrets:
        expected = signature(secret, message_id=message_id, timestamp=timestamp, body=body)
        if expected is None:
            continue
        for value in given:
            found |= hmac.compare_digest(expected.encode(), value)
    return found


def _split(entry: str) -> tuple[str, str, str]:
    return entry.partition(",")


def _bytes(text: str) -> bytes:
    # Headers that came through JSON may hold half of a surrogate pair, which plain UTF-8 refuses.
    return text.encode("utf-8", "surrogatepass")
