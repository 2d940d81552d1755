"""Predictions: create, get, list, cancel."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.durations import parse_cancel_after, parse_wait
from local.replicate.models import find_model, resolve_version
from local.replicate.models.model import Model
from local.replicate.pages import Cursor, page_of
from local.replicate.prediction import Prediction, Webhook
from local.replicate.problems import invalid_fields, invalid_request, invalid_version, not_found
from local.replicate.routes import Json, read_json, stand_in_of
from local.replicate.validation import check_input, check_prediction_request
from local.replicate.webhooks import DEFAULT_EVENTS


async def create(request: Request) -> Response:
    body = await read_json(request)
    if found := check_prediction_request(body, with_version=True):
        raise invalid_fields(found)
    resolved = resolve_version(body["version"])
    if resolved is None:
        raise invalid_version()
    return await _create(request, body, *resolved)


async def create_for_model(request: Request) -> Response:
    """Official models only; any other is not found here."""
    model = find_model(request.path_params["owner"], request.path_params["name"])
    if model is None or not model.is_official:
        raise not_found()
    body = await read_json(request)
    if found := check_prediction_request(body, with_version=False):
        raise invalid_fields(found)
    return await _create(request, body, model, "hidden")


async def get(request: Request) -> Response:
    return Json(_find(request).to_json(stand_in_of(request).settings.origin))


async def cancel(request: Request) -> Response:
    """Always 200, as no other answer is documented: what is over stays what it is."""
    prediction = _find(request)
    stand_in = stand_in_of(request)
    stand_in.lifecycle.cancel(prediction)
    return Json(prediction.to_json(stand_in.settings.origin))


async def index(request: Request) -> Response:
    stand_in = stand_in_of(request)
    origin = stand_in.settings.origin
    page = page_of(_selected(request), lambda p: p.number, _cursor(request))
    filters = {key: value for key, value in request.query_params.items() if key != "cursor"}

    def link(cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        return f"{origin}/v1/predictions?{urlencode(filters | {'cursor': cursor.encode()})}"

    return Json(
        {
            "previous": link(page.previous),
            "next": link(page.next),
            "results": [prediction.to_listed_json(origin) for prediction in page.results],
        }
    )


ROUTES = [
    Route("/v1/predictions", create, methods=["POST"]),
    Route("/v1/predictions", index, methods=["GET"]),
    Route("/v1/predictions/{id}", get, methods=["GET"]),
    Route("/v1/predictions/{id}/cancel", cancel, methods=["POST"]),
    Route("/v1/models/{owner}/{name}/predictions", create_for_model, methods=["POST"]),
]


async def _create(request: Request, body: dict[str, Any], model: Model, version: str) -> Response:
    cancel_after_s = parse_cancel_after(request.headers.get("cancel-after"))
    wait_s = parse_wait(request.headers.get("prefer"))
    if found := check_input(model, body["input"]):
        raise invalid_fields(found)
    stand_in = stand_in_of(request)
    prediction = stand_in.lifecycle.create(
        model, version, body["input"], cancel_after_s=cancel_after_s, webhook=_webhook(body)
    )
    created = prediction.to_created_json(stand_in.settings.origin)
    if wait_s is None:
        return Json(created, 201)
    applied = {"preference-applied": request.headers["prefer"].strip()}
    if await stand_in.lifecycle.wait_for_output(prediction, wait_s):
        return Json(prediction.to_json(stand_in.settings.origin), 201, headers=applied)
    return Json(created, 202, headers=applied)


def _webhook(body: dict[str, Any]) -> Webhook | None:
    if "webhook" not in body:
        return None
    return Webhook(body["webhook"], frozenset(body.get("webhook_events_filter") or DEFAULT_EVENTS))


def _find(request: Request) -> Prediction:
    prediction = stand_in_of(request).lifecycle.find(request.path_params["id"])
    if prediction is None:
        raise not_found()
    return prediction


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


def _cursor(request: Request) -> Cursor | None:
    text = request.query_params.get("cursor")
    try:
        return None if text is None else Cursor.decode(text)
    except ValueError as error:
        raise invalid_request("cursor is not one that a page has named") from error
