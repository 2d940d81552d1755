"""Versions of a model; those of the account's own can be deleted."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.models.model import Model, Version
from local.replicate.problems import invalid_request, not_found
from local.replicate.registry import version_json
from local.replicate.routes import Json, stand_in_of
from local.replicate.routes.listing import listing
from local.replicate.routes.models import find_model, find_own_model

DELETION_S = 60  # "It might take a few minutes to be processed"


async def index(request: Request) -> Response:
    runs = list(find_model(request).runs.values())
    return listing(request, runs, lambda run: version_json(*run))


async def show(request: Request) -> Response:
    return Json(version_json(*_find(request)))


async def delete(request: Request) -> Response:
    """Accepted at once, done a minute later, with all predictions of the version."""
    stand_in, entry = stand_in_of(request), find_own_model(request)
    version, _ = _find(request)
    if entry.visibility == "public":
        raise invalid_request("A version of a public model cannot be deleted")
    if stand_in.deployments.run(version.id) or stand_in.trainings.uses(version.id):
        raise invalid_request("The version is in use by a deployment or a training")

    def done(_: float) -> None:
        entry.runs.pop(version.id, None)
        stand_in.lifecycle.delete_version(version.id)
        stand_in.trainings.delete_weights(version.id)

    stand_in.scheduler.at(stand_in.clock.now_s() + DELETION_S, done)
    return Response(status_code=202)


ROUTES = [
    Route("/v1/models/{owner}/{name}/versions", index, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/versions/{version_id}", show, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/versions/{version_id}", delete, methods=["DELETE"]),
]


def _find(request: Request) -> tuple[Version, Model]:
    found = find_model(request).runs.get(request.path_params["version_id"])
    if found is None:
        raise not_found()
    return found
