"""/v1/catalog: what there is to choose from and what it costs. Open to all, and cacheable."""

from __future__ import annotations

import hashlib
from functools import cache

from aws_lambda_powertools.event_handler.api_gateway import Response

from api.rendering.catalog import whole_catalog
from api.requests import language, matches
from api.responses import PUBLIC, json_text, without_body
from api.routing import Router
from revela import bootstrap
from revela.domain.messages import Language

router = Router()


@router.get("/v1/catalog")
def show() -> Response[str]:
    event = router.event
    text, etag = rendered(language(event))
    headers = {"ETag": etag, "Content-Language": language(event), "Vary": "Accept-Language"}
    if matches(event, etag):
        return without_body(304, {"Cache-Control": PUBLIC, **headers})
    return json_text(text, cache_control=PUBLIC, headers=headers)


@cache
def rendered(wanted: Language) -> tuple[str, str]:
    """Return the catalog's JSON and its entity tag; the catalog changes with a deployment only."""
    text = whole_catalog(bootstrap.ports().catalog, wanted).model_dump_json()
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
