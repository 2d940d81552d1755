"""/v1/health and /v1/openapi.json: whether it answers, and how to talk to it. Open to all."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from aws_lambda_powertools.event_handler.api_gateway import Response

from api.requests import matches
from api.responses import PUBLIC, answer, json_text, without_body
from api.routing import Router
from api.schemas import Health
from revela import __version__, bootstrap

router = Router()


@router.get("/v1/health")
def health() -> Response[str]:
    return answer(Health(status="ok", version=__version__), cache_control="no-store")


@router.get("/v1/openapi.json")
def openapi() -> Response[str]:
    text, etag = rendered()
    if matches(router.event, etag):
        return without_body(304, {"Cache-Control": PUBLIC, "ETag": etag})
    return json_text(text, cache_control=PUBLIC, headers={"ETag": etag})


@cache
def rendered() -> tuple[str, str]:
    # Imported when asked for: no other request needs it.
    from api.openapi import document

    text = json.dumps(document(bootstrap.ports().catalog), separators=(",", ":"))
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
