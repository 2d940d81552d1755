"""/v1/models/{id}/trainings: what is advised, what is asked for, how far it is."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Response

from api import schemas
from api.rendering import trainings as rendering
from api.requests import (
    idempotency_key,
    json_object,
    language,
    matches,
    model_ref,
    query,
    training_ref,
    validated,
)
from api.responses import PRIVATE, answer, localized, poll, without_body
from api.routing import Router
from revela import bootstrap
from revela.domain.training import Training
from revela.usecases.accept_training import AcceptTraining

router = Router()


@router.get("/v1/models/<model_id>/training-advice")
def advise(model_id: str) -> Response[str]:
    event = router.event
    ref, wanted = model_ref(event, model_id), query(event, schemas.AdviceQuery)
    view = bootstrap.advise_training()(ref, wanted.trainer)
    return answer(rendering.advice(view, language(event)), headers=localized(event))


@router.post("/v1/models/<model_id>/trainings")
def create(model_id: str) -> Response[str]:
    event = router.event
    ref = model_ref(event, model_id)
    key, requested = idempotency_key(event), json_object(event)
    validated(schemas.TrainingRequest, requested)
    accepted = bootstrap.accept_training()(AcceptTraining(ref, requested, key))
    row = accepted.training
    headers = {"Location": f"/v1/models/{row.model_id}/trainings/{row.training_id}"}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return _one(row, status=202, headers=headers)


@router.get("/v1/models/<model_id>/trainings")
def list_page(model_id: str) -> Response[str]:
    event = router.event
    ref, wanted = model_ref(event, model_id), query(event, schemas.PageQuery)
    page = bootstrap.list_trainings()(ref, limit=wanted.limit, cursor=wanted.cursor)
    shown = rendering.training_page(page, bootstrap.ports().catalog, language(event))
    return answer(shown, headers=localized(event))


@router.get("/v1/models/<model_id>/trainings/<training_id>")
def show(model_id: str, training_id: str) -> Response[str]:
    event = router.event
    row = bootstrap.show_training()(training_ref(event, model_id, training_id))
    etag = f'"{row.version}-{language(event)}"'
    headers = {"ETag": etag, **poll(rendering.poll_after_s(row)), **localized(event)}
    if matches(event, etag):
        return without_body(304, {"Cache-Control": PRIVATE, **headers})
    return answer(rendering.training(row, bootstrap.ports().catalog, language(event)), headers=headers)


@router.post("/v1/models/<model_id>/trainings/<training_id>/cancel")
def cancel(model_id: str, training_id: str) -> Response[str]:
    row = bootstrap.cancel_training()(training_ref(router.event, model_id, training_id))
    return _one(row, status=202 if row.state.live else 200)


def _one(row: Training, *, status: int, headers: dict[str, str] | None = None) -> Response[str]:
    event = router.event
    shown = rendering.training(row, bootstrap.ports().catalog, language(event))
    return answer(
        shown,
        status=status,
        headers={**(headers or {}), **poll(rendering.poll_after_s(row)), **localized(event)},
    )
