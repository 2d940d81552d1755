"""The sample webhooks, and others made from them.

They were signed at 12:00:01 to 12:00:05 on 2 March 2026 with SECRET, a dummy of the official SDKs'
tests; the token in their URL was made with KEY. `forged` carries the signature of another secret.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from revela.adapters.replicate.signature import signature
from revela.adapters.url_token import url_token

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEY = "url-token-key-of-the-sample-events"

_EVENTS = Path(__file__).parents[3] / "events" / "replicate_webhook"


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((_EVENTS / f"{name}.json").read_text("utf-8"))
    return event


def signed_again(
    event: dict[str, Any], *, user_id: str = "ana", job_id: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Return the event with other fields in its body, for another user or job, and as genuine as before."""
    body = json.dumps(json.loads(event["body"]) | fields, ensure_ascii=False)
    headers = event["headers"]
    good = signature(
        SECRET,
        message_id=headers["webhook-id"],
        timestamp=headers["webhook-timestamp"],
        body=body.encode(),
    )
    generation_id = job_id or parse_qs(event["rawQueryString"])["id"][0]
    token = url_token(KEY, user_id=user_id, generation_id=generation_id, attempt=1)
    query = urlencode({"user": user_id, "id": generation_id, "attempt": 1, "token": token})
    return event | {
        "body": body,
        "headers": headers | {"webhook-signature": f"v1,{good}"},
        "rawQueryString": query,
    }
