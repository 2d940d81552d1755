"""Deployments of the account. Predictions with one are created in `predictions.py`."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.deployments import Deployment
from local.replicate.hardware import SKUS
from local.replicate.models.model import Model, Parameter
from local.replicate.problems import (
    InvalidField,
    invalid_fields,
    invalid_request,
    invalid_version,
    not_found,
)
from local.replicate.registry import OWNER
from local.replicate.routes import Json, read_json, stand_in_of
from local.replicate.routes.listing import listing
from local.replicate.stand_in import StandIn
from local.replicate.validation import NAME, check_fields

_CREATE = (
    Parameter("name", "string", "", required=True),
    Parameter("model", "string", "", required=True),
    Parameter("version", "string", "", required=True),
    Parameter("hardware", "string", "", required=True, choices=SKUS),
    Parameter("min_instances", "integer", "", required=True, minimum=0, maximum=5),
    Parameter("max_instances", "integer", "", required=True, minimum=0, maximum=20),
)
_UPDATE = tuple(replace(rule, required=False) for rule in _CREATE[2:])


async def index(request: Request) -> Response:
    return listing(request, stand_in_of(request).deployments.newest_first(), Deployment.to_json)


async def create(request: Request) -> Response:
    stand_in, body = stand_in_of(request), await read_json(request)
    if found := check_fields(body, _CREATE):
        raise invalid_fields(found)
    if not NAME.fullmatch(body["name"]):
        raise invalid_fields([InvalidField("pattern", "name", "Does not match pattern")])
    if stand_in.deployments.find(OWNER, body["name"]) is not None:
        raise invalid_request("A deployment with that name already exists")
    model = _version_of(stand_in, body["model"], body["version"])
    made = stand_in.deployments.create(
        body["name"], model, body["version"], **{p.name: body[p.name] for p in _CREATE[3:]}
    )
    return Json(made.to_json())


async def show(request: Request) -> Response:
    return Json(find_deployment(request).to_json())


async def update(request: Request) -> Response:
    deployment, stand_in = find_deployment(request), stand_in_of(request)
    body = await read_json(request)
    if found := check_fields(body, _UPDATE):
        raise invalid_fields(found)
    changes: dict[str, Any] = {p.name: body[p.name] for p in _UPDATE if p.name in body}
    if "version" in changes:
        changes["model"] = _version_of(stand_in, deployment.model.full_name, changes["version"])
    stand_in.deployments.release(deployment, **changes)
    return Json(deployment.to_json())


async def delete(request: Request) -> Response:
    deployment, stand_in = find_deployment(request), stand_in_of(request)
    if stand_in.deployments.is_in_use(deployment):
        raise invalid_request("A deployment must be offline and unused for 15 minutes to be deleted")
    stand_in.deployments.delete(deployment)
    return Response(status_code=204)


ROUTES = [
    Route("/v1/deployments", index, methods=["GET"]),
    Route("/v1/deployments", create, methods=["POST"]),
    Route("/v1/deployments/{owner}/{name}", show, methods=["GET"]),
    Route("/v1/deployments/{owner}/{name}", update, methods=["PATCH"]),
    Route("/v1/deployments/{owner}/{name}", delete, methods=["DELETE"]),
]


def find_deployment(request: Request) -> Deployment:
    path = request.path_params
    found = stand_in_of(request).deployments.find(path["owner"], path["name"])
    if found is None:
        raise not_found()
    return found


def _version_of(stand_in: StandIn, model: str, version: str) -> Model:
    resolved = stand_in.registry.resolve(f"{model}:{version}") if "/" in model else None
    if resolved is None:
        raise invalid_version()
    return resolved[0]
