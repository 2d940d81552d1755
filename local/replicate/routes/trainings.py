"""Trainings: create, get, list, cancel."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.replicate.problems import destination_not_found, invalid_fields, invalid_request, not_found
from local.replicate.routes import Json, read_json, stand_in_of, webhook_of
from local.replicate.routes.listing import listing
from local.replicate.routes.models import find_model
from local.replicate.training import Training
from local.replicate.validation import check_parameters, check_training_request


async def create(request: Request) -> Response:
    stand_in, version = stand_in_of(request), request.path_params["version_id"]
    run = find_model(request).runs.get(version)
    if run is None:
        raise not_found()
    trainer = run[1].trainer
    body = await read_json(request)
    if found := check_training_request(body):
        raise invalid_fields(found)
    if trainer is None:
        raise invalid_request("The version cannot be trained with: it has no train() function")
    owner, _, name = body["destination"].partition("/")
    destination = stand_in.registry.find(owner, name)
    if destination is None or not destination.is_own:
        raise destination_not_found()
    if found := check_parameters(trainer.parameters, body["input"]):
        raise invalid_fields(found)
    training = stand_in.trainings.create(
        run[1], version, destination.full_name, body["input"], webhook_of(body)
    )
    return Json(training.to_json(stand_in.settings.origin), 201)


async def index(request: Request) -> Response:
    stand_in = stand_in_of(request)
    origin = stand_in.settings.origin

    def row(training: Training) -> dict[str, object]:
        return {key: value for key, value in training.to_json(origin).items() if key != "logs"}

    return listing(request, stand_in.trainings.newest_first(), row, lambda training: training.number)


async def show(request: Request) -> Response:
    return Json(_find(request).to_json(stand_in_of(request).settings.origin))


async def cancel(request: Request) -> Response:
    training, stand_in = _find(request), stand_in_of(request)
    stand_in.trainings.cancel(training)
    return Json(training.to_json(stand_in.settings.origin))


ROUTES = [
    Route("/v1/models/{owner}/{name}/versions/{version_id}/trainings", create, methods=["POST"]),
    Route("/v1/trainings", index, methods=["GET"]),
    Route("/v1/trainings/{id}", show, methods=["GET"]),
    Route("/v1/trainings/{id}/cancel", cancel, methods=["POST"]),
]


def _find(request: Request) -> Training:
    training = stand_in_of(request).trainings.find(request.path_params["id"])
    if training is None:
        raise not_found()
    return training
