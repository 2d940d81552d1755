"""Predictions: create, get, list, cancel."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.durations import parse_cancel_after, parse_wait
from local.replicate.models.model import Model
from local.replicate.prediction import Prediction
from local.replicate.problems import invalid_fields, invalid_request, invalid_version, not_found
from local.replicate.routes import Json, read_json, stand_in_of, webhook_of
from local.replicate.routes.deployments import find_deployment
from local.replicate.routes.listing import listing
from local.replicate.routes.models import find_model
from local.replicate.training import Training
from local.replicate.validation import check_input, check_prediction_request


async def create(request: Request) -> Response:
    body = await read_json(request)
    if found := check_prediction_request(body, with_version=True):
        raise invalid_fields(found)
    resolved = stand_in_of(request).registry.resolve(body["version"])
    if resolved is None:
        raise invalid_version()
    return await _create(request, body, *resolved)


async def create_for_model(request: Request) -> Response:
    """Official models only; any other is not found here."""
    entry = find_model(request)
    if not entry.is_official or entry.latest is None:
        raise not_found()
    body = await read_json(request)
    if found := check_prediction_request(body, with_version=False):
        raise invalid_fields(found)
    return await _create(request, body, entry.latest, "hidden")


async def create_for_deployment(request: Request) -> Response:
    deployment = find_deployment(request)
    body = await read_json(request)
    if found := check_prediction_request(body, with_version=False):
        raise invalid_fields(found)
    stand_in_of(request).deployments.use(deployment)
    return await _create(request, body, deployment.model, deployment.prediction_version, deployment.full_name)


async def get(request: Request) -> Response:
    found, origin = _find(request), stand_in_of(request).settings.origin
    return Json(found.to_prediction_json(origin) if isinstance(found, Training) else found.to_json(origin))


async def cancel(request: Request) -> Response:
    """Always 200, as no other answer is documented: what is over stays what it is."""
    found, stand_in = _find(request), stand_in_of(request)
    if isinstance(found, Training):
        stand_in.trainings.cancel(found)
    else:
        stand_in.lifecycle.cancel(found)
    return await get(request)


async def index(request: Request) -> Response:
    origin = stand_in_of(request).settings.origin
    return listing(
        request, _selected(request), lambda p: p.to_listed_json(origin), lambda prediction: prediction.number
    )


ROUTES = [
    Route("/v1/predictions", create, methods=["POST"]),
    Route("/v1/predictions", index, methods=["GET"]),
    Route("/v1/predictions/{id}", get, methods=["GET"]),
    Route("/v1/predictions/{id}/cancel", cancel, methods=["POST"]),
    Route("/v1/models/{owner}/{name}/predictions", create_for_model, methods=["POST"]),
    Route("/v1/deployments/{owner}/{name}/predictions", create_for_deployment, methods=["POST"]),
]


async def _create(
    request: Request, body: dict[str, Any], model: Model, version: str, deployment: str | None = None
) -> Response:
    cancel_after_s = parse_cancel_after(request.headers.get("cancel-after"))
    wait_s = parse_wait(request.headers.get("prefer"))
    if found := check_input(model, body["input"]):
        raise invalid_fields(found)
    stand_in = stand_in_of(request)
    stand_in.registry.count_run(model.full_name)
    prediction = stand_in.lifecycle.create(
        model,
        version,
        body["input"],
        cancel_after_s=cancel_after_s,
        webhook=webhook_of(body),
        deployment=deployment,
    )
    created = prediction.to_created_json(stand_in.settings.origin)
    if wait_s is None:
        return Json(created, 201)
    applied = {"preference-applied": request.headers["prefer"].strip()}
    if await stand_in.lifecycle.wait_for_output(prediction, wait_s):
        return Json(prediction.to_json(stand_in.settings.origin), 201, headers=applied)
    return Json(created, 202, headers=applied)


def _find(request: Request) -> Prediction | Training:
    """Trainings too: their ids are of one space with those of predictions, and their URLs lead here."""
    stand_in, id_ = stand_in_of(request), request.path_params["id"]
    found = stand_in.lifecycle.find(id_) or stand_in.trainings.find(id_)
    if found is None:
        raise not_found()
    return found


def _selected(request: Request) -> list[Prediction]:
    after, before = _moment(request, "created_after"), _moment(request, "created_before")
    source = request.query_params.get("source")
    if source not in {None, "web"}:
        raise invalid_request("source must be web")
    return [
        prediction
        for prediction in stand_in_of(request).lifecycle.newest_first()
        if (after is None or prediction.created_s >= after)
        and (before is None or prediction.created_s < before)
        and source is None  # everything here was created through the API
    ]


def _moment(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid_request(f"{name} must be an ISO 8601 date-time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
