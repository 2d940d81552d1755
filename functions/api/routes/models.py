"""/v1/models: models of one's own, from a draft to a trained one."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Response

from api import schemas
from api.rendering import models as rendering
from api.requests import json_object, language, matches, model_ref, query, signed_in_user, validated
from api.responses import PRIVATE, answer, localized, poll, without_body
from api.routing import Router
from revela import bootstrap
from revela.domain.errors import NotFound
from revela.domain.photo import ModelKind
from revela.ports import ModelRef
from revela.usecases.change_model import ChangeModel
from revela.usecases.create_model import CreateModel
from revela.usecases.show_model import ModelView, view_of_draft

router = Router()


@router.post("/v1/models")
def create() -> Response[str]:
    event = router.event
    user_id = signed_in_user(event)
    wanted = validated(schemas.ModelRequest, json_object(event))
    kind = ModelKind(wanted.kind)
    created = bootstrap.create_model()(
        CreateModel(
            user_id,
            name=wanted.name,
            kind=kind,
            class_word=wanted.class_word or ("person" if kind.of_a_person else "style"),
            consent_version=wanted.consent.text_version,
            address=event.request_context.http.source_ip,
            trigger_word=wanted.trigger_word,
        )
    )
    return _one(view_of_draft(created), status=201, headers={"Location": f"/v1/models/{created.id}"})


@router.get("/v1/models")
def list_page() -> Response[str]:
    event = router.event
    user_id, wanted = signed_in_user(event), query(event, schemas.PageQuery)
    page = bootstrap.list_models()(user_id, limit=wanted.limit, cursor=wanted.cursor)
    return answer(rendering.model_page(page))


@router.get("/v1/models/<model_id>")
def show(model_id: str) -> Response[str]:
    event = router.event
    view = bootstrap.show_model()(model_ref(event, model_id))
    headers = _headers(view)
    if matches(event, headers["ETag"]):
        return without_body(304, {"Cache-Control": PRIVATE, **headers})
    return answer(rendering.model(view, language(event)), headers=headers)


@router.patch("/v1/models/<model_id>")
def change(model_id: str) -> Response[str]:
    event = router.event
    ref = model_ref(event, model_id)
    wanted = validated(schemas.ModelChange, json_object(event))
    bootstrap.change_model()(ChangeModel(ref, name=wanted.name, chosen_version=wanted.chosen_version))
    return _one(bootstrap.show_model()(ref))


@router.delete("/v1/models/<model_id>")
def delete(model_id: str) -> Response[str]:
    ref = model_ref(router.event, model_id)
    bootstrap.delete_model()(ref)
    return _closed(ref)


@router.delete("/v1/models/<model_id>/consent")
def withdraw_consent(model_id: str) -> Response[str]:
    ref = model_ref(router.event, model_id)
    bootstrap.withdraw_consent()(ref)
    return _closed(ref)


def _closed(ref: ModelRef) -> Response[str]:
    """Show the model while it is being deleted; that may be done by now."""
    try:
        view = bootstrap.show_model()(ref)
    except NotFound:
        return without_body(204)
    return _one(view, status=202)


def _one(view: ModelView, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[str]:
    shown = rendering.model(view, language(router.event))
    return answer(shown, status=status, headers={**(headers or {}), **_headers(view)})


def _headers(view: ModelView) -> dict[str, str]:
    event = router.event
    return {
        "ETag": f'"{view.tag}-{language(event)}"',
        **poll(rendering.poll_after_s(view)),
        **localized(event),
    }
