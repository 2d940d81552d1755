"""The token in our webhook URLs: proof that we made the URL for this user, generation and attempt.

The provider's signature covers the body, not the URL; without the token, one signed body could be
sent to another job's address. Standard library only, for the open door of the webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable


def url_token(key: str, *, user_id: str, generation_id: str, attempt: int) -> str:
    """Return a URL-safe HMAC-SHA256 over the three."""
    # JSON keeps apart what plain joining would confuse: ("a&b", "c") and ("a", "b&c").
    named = json.dumps(["generation", user_id, generation_id, attempt], separators=(",", ":"))
    return (
        base64.urlsafe_b64encode(hmac.digest(key.encode(), named.encode(), hashlib.sha256))
        .decode()
        .rstrip("=")
    )


def is_url_token(keys: Iterable[str], token: str, *, user_id: str, generation_id: str, attempt: int) -> bool:
    """Tell whether the token was made with any of the keys, in constant time."""
    given = token.encode("utf-8", "surrogatepass")
    found = False
    for key in filter(None, keys):
        expected = url_token(key, user_id=user_id, generation_id=generation_id, attempt=attempt)
        found |= hmac.compare_digest(expected.encode(), given)
    return found
