"""Models: everybody's, and those that the account creates for its trainings."""

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from local.replicate.hardware import SKUS
from local.replicate.models.model import Parameter
from local.replicate.prediction import Prediction
from local.replicate.problems import InvalidField, invalid_fields, invalid_request, not_found, not_permitted
from local.replicate.registry import LIMIT, OWNER, Entry
from local.replicate.routes import Json, read_json, stand_in_of
from local.replicate.routes.listing import listing
from local.replicate.validation import NAME, check_fields

_TEXTS = ("description", "github_url", "paper_url", "license_url")
_CREATE = (
    Parameter("owner", "string", "", required=True),
    Parameter("name", "string", "", required=True),
    Parameter("visibility", "string", "", required=True, choices=("public", "private")),
    Parameter("hardware", "string", "", required=True, choices=SKUS),
    *(Parameter(name, "string", "") for name in (*_TEXTS, "cover_image_url")),
)
_UPDATE = tuple(Parameter(name, "string", "") for name in (*_TEXTS, "readme", "weights_url"))


async def index(request: Request) -> Response:
    query = request.query_params
    sort_by = query.get("sort_by", "latest_version_created_at")
    direction = query.get("sort_direction", "desc")
    if sort_by not in {"model_created_at", "latest_version_created_at"} or direction not in {"asc", "desc"}:
        raise invalid_request("sort_by or sort_direction is none of the known ones")
    entries = stand_in_of(request).registry.sorted_by(
        "model_created_at" if sort_by == "model_created_at" else "latest_version_created_at",
        newest_first=direction == "desc",
    )
    return listing(request, entries, Entry.to_json)


async def search(request: Request) -> Response:
    """The older search, by the method QUERY and a body of plain text."""
    text = (await request.body()).decode("utf-8", "replace")
    found = stand_in_of(request).registry.matching(text)
    return listing(request, found, lambda e: {k: v for k, v in e.to_json().items() if k != "is_official"})


async def create(request: Request) -> Response:
    body = await read_json(request)
    if found := check_fields(body, _CREATE):
        raise invalid_fields(found)
    registry = stand_in_of(request).registry
    if body["owner"] != OWNER:
        raise not_permitted()
    if not NAME.fullmatch(body["name"]):
        raise invalid_fields([InvalidField("pattern", "name", "Does not match pattern")])
    if registry.find(OWNER, body["name"]) is not None:
        raise invalid_request("A model with that name and owner already exists")
    if len(registry.own()) >= LIMIT:
        raise invalid_request(f"An account has at most {LIMIT} models")
    details = {name: body[name] for name in (*_TEXTS, "cover_image_url") if name in body}
    return Json(registry.create(body["name"], body["visibility"], details).to_json(), 201)


async def show(request: Request) -> Response:
    return Json(find_model(request).to_json())


async def update(request: Request) -> Response:
    entry, body = find_own_model(request), await read_json(request)
    if found := check_fields(body, _UPDATE):
        raise invalid_fields(found)
    known: dict[str, Any] = {p.name: body[p.name] for p in _UPDATE if p.name in body}
    entry.readme = known.pop("readme", entry.readme)
    entry.details.update(known)
    return Json(entry.to_json())


async def delete(request: Request) -> Response:
    entry = find_own_model(request)
    if entry.visibility != "private" or entry.runs:
        raise invalid_request("Only a private model without versions can be deleted")
    stand_in_of(request).registry.delete(entry)
    return Response(status_code=204)


async def list_examples(request: Request) -> Response:
    """One example of each model that brings an input for it."""
    entry, stand_in = find_model(request), stand_in_of(request)
    model = entry.latest
    if model is None or not model.example:
        return listing(request, [], lambda nothing: nothing)
    example = stand_in.examples.of(model, "hidden" if entry.is_official else model.versions[0].id)
    return listing(request, [example], _example_json(stand_in.settings.origin))


async def show_readme(request: Request) -> Response:
    entry = find_model(request)
    if not entry.readme:
        raise not_found()
    return PlainTextResponse(entry.readme)


ROUTES = [
    Route("/v1/models", index, methods=["GET"]),
    Route("/v1/models", search, methods=["QUERY"]),
    Route("/v1/models", create, methods=["POST"]),
    Route("/v1/models/{owner}/{name}", show, methods=["GET"]),
    Route("/v1/models/{owner}/{name}", update, methods=["PATCH"]),
    Route("/v1/models/{owner}/{name}", delete, methods=["DELETE"]),
    Route("/v1/models/{owner}/{name}/examples", list_examples, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/readme", show_readme, methods=["GET"]),
]


def find_model(request: Request) -> Entry:
    path = request.path_params
    entry = stand_in_of(request).registry.find(path["owner"], path["name"])
    if entry is None:
        raise not_found()
    return entry


def find_own_model(request: Request) -> Entry:
    entry = find_model(request)
    if not entry.is_own:
        raise not_permitted()
    return entry


def _example_json(origin: str) -> Any:
    def to_json(example: Prediction) -> Any:
        return example.to_json(origin)

    return to_json
