"""/v1/generations: ask for images, look at them, cancel, appeal, delete."""

from __future__ import annotations

from typing import TypeGuard

from aws_lambda_powertools.event_handler.api_gateway import Response

from api import schemas
from api.rendering import generations as rendering
from api.requests import (
    MODEL_ID,
    generation_ref,
    idempotency_key,
    json_object,
    json_object_if_any,
    language,
    matches,
    possible,
    query,
    signed_in_user,
    validated,
)
from api.responses import PRIVATE, answer, localized, poll, rate_limit, without_body
from api.routing import Router
from revela import bootstrap
from revela.domain.errors import InvalidParam, InvalidRequest
from revela.domain.generation import Generation
from revela.domain.job import State
from revela.usecases.accept_generation import AcceptGeneration
from revela.usecases.appeal_generation import AppealGeneration
from revela.usecases.image_models import OWN
from revela.usecases.list_generations import ListGenerations
from revela.usecases.show_generation import GenerationView

router = Router()


@router.post("/v1/generations")
def create() -> Response[str]:
    event = router.event
    user_id = signed_in_user(event)
    key, requested = idempotency_key(event), json_object(event)
    validated(schemas.GenerationRequest, requested)
    model_id = requested.get("model")
    if _of_own_model(model_id):
        possible(MODEL_ID, model_id)
    accepted = bootstrap.accept_generation()(AcceptGeneration(user_id, requested, key))
    # As it was accepted, live and without URLs: a replay is the first answer byte for byte.
    headers = {"Location": f"/v1/generations/{accepted.generation.id}"}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    if accepted.account is not None:
        headers |= rate_limit(accepted.account)
    return _one(accepted.generation, status=202, headers=headers)


@router.get("/v1/generations")
def list_page() -> Response[str]:
    event = router.event
    user_id, wanted = signed_in_user(event), query(event, schemas.GenerationsQuery)
    if _of_own_model(wanted.model) and not MODEL_ID.fullmatch(wanted.model):
        raise InvalidRequest("invalid_request", invalid_params=[InvalidParam("model", "invalid")])
    page = bootstrap.list_generations()(
        ListGenerations(
            user_id,
            limit=wanted.limit,
            cursor=wanted.cursor,
            state=State(wanted.status) if wanted.status else None,
            model=wanted.model,
        )
    )
    return answer(rendering.generation_page(page, language(event)), headers=localized(event))


@router.get("/v1/generations/<generation_id>")
def show(generation_id: str) -> Response[str]:
    event = router.event
    view = bootstrap.show_generation()(generation_ref(event, generation_id))
    headers = _headers(view)
    if matches(event, headers["ETag"]):
        return without_body(304, {"Cache-Control": PRIVATE, **headers})
    return answer(rendering.generation(view, language(event)), headers=headers)


@router.post("/v1/generations/<generation_id>/cancel")
def cancel(generation_id: str) -> Response[str]:
    row = bootstrap.cancel_generation()(generation_ref(router.event, generation_id))
    return _one(row, status=202 if row.state.live else 200)


@router.post("/v1/generations/<generation_id>/appeal")
def appeal(generation_id: str) -> Response[str]:
    event = router.event
    ref = generation_ref(event, generation_id)
    wanted = validated(schemas.AppealRequest, json_object_if_any(event))
    bootstrap.appeal_generation()(AppealGeneration(ref, wanted.reason))
    view = bootstrap.show_generation()(ref)
    return answer(rendering.generation(view, language(event)), status=202, headers=_headers(view))


@router.delete("/v1/generations/<generation_id>")
def delete(generation_id: str) -> Response[str]:
    bootstrap.delete_generation()(generation_ref(router.event, generation_id))
    return without_body(204)


def _of_own_model(model_id: object) -> TypeGuard[str]:
    return isinstance(model_id, str) and model_id.startswith(OWN)


def _headers(view: GenerationView) -> dict[str, str]:
    event = router.event
    return {
        # Weak: URLs are signed with the credentials of the process, which differ while all else is the same.
        "ETag": f'W/"{view.tag}-{language(event)}"',
        **poll(rendering.poll_after_s(view.generation)),
        **localized(event),
    }


def _one(row: Generation, *, status: int, headers: dict[str, str] | None = None) -> Response[str]:
    """Answer with a generation that has no images: just accepted, or canceled."""
    shown = rendering.generation(GenerationView(row, {}, None), language(router.event))
    return answer(
        shown,
        status=status,
        headers={**(headers or {}), **poll(rendering.poll_after_s(row)), **localized(router.event)},
    )
