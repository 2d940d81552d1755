"""Collections, and the search over models, collections and documentation pages."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.collections import COLLECTIONS, PAGES, Collection
from local.replicate.problems import invalid_request, not_found, query_missing
from local.replicate.routes import Json, stand_in_of
from local.replicate.routes.listing import listing

LIMIT, LIMIT_MAX = 20, 50


async def list_collections(request: Request) -> Response:
    return listing(request, COLLECTIONS, Collection.to_json)


async def show_collection(request: Request) -> Response:
    slug, registry = request.path_params["slug"], stand_in_of(request).registry
    collection = next((c for c in COLLECTIONS if c.slug == slug), None)
    if collection is None:
        raise not_found()
    entries = (registry.find(*name.split("/")) for name in collection.models)
    return Json(
        collection.to_json()
        | {
            "full_description": f"## {collection.name}\n\n{collection.description}.\n",
            "models": [entry.to_json() for entry in entries if entry is not None],
        }
    )


async def search(request: Request) -> Response:
    query = request.query_params.get("query", "").strip()
    if not query:
        raise query_missing()
    entries = stand_in_of(request).registry.matching(query)[: _limit(request)]
    words = query.lower().split()

    def matches(text: str) -> bool:
        return all(word in text.lower() for word in words)

    return Json(
        {
            "query": query,
            "models": [
                {
                    "model": entry.to_json(),
                    "metadata": {"tags": list(entry.tags), "score": round(1 / (place + 1), 6)},
                }
                for place, entry in enumerate(entries)
            ],
            "collections": [
                collection.to_json() | {"models": list(collection.models)}
                for collection in COLLECTIONS
                if matches(f"{collection.slug} {collection.name} {collection.description}")
            ],
            "pages": [{"name": name, "href": href} for name, href in PAGES if matches(name)],
        }
    )


ROUTES = [
    Route("/v1/collections", list_collections, methods=["GET"]),
    Route("/v1/collections/{slug}", show_collection, methods=["GET"]),
    Route("/v1/search", search, methods=["GET"]),
]


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LIMIT_MAX):
        raise invalid_request(f"limit must be from 1 to {LIMIT_MAX}")
    return int(text)
