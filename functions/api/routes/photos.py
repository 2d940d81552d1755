"""/v1/models/{id}/photos: forms to upload with, verdicts, corrections."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Response

from api import schemas
from api.rendering import photos as rendering
from api.requests import PHOTO_ID, json_object, language, matches, model_ref, possible, validated
from api.responses import PRIVATE, answer, localized, poll, without_body
from api.routing import Router
from revela import bootstrap
from revela.domain.photo import Category
from revela.usecases.request_photo_uploads import RequestPhotoUploads

router = Router()


@router.post("/v1/models/<model_id>/photos")
def request_uploads(model_id: str) -> Response[str]:
    event = router.event
    ref = model_ref(event, model_id)
    wanted = validated(schemas.PhotoUploadsRequest, json_object(event))
    made = bootstrap.request_photo_uploads()(
        RequestPhotoUploads(ref, [file.content_type for file in wanted.files])
    )
    # Whoever has a form can upload with it.
    return answer(rendering.uploads(made), status=201, cache_control="no-store")


@router.get("/v1/models/<model_id>/photos")
def list_all(model_id: str) -> Response[str]:
    event = router.event
    view = bootstrap.list_photos()(model_ref(event, model_id))
    # Weak: URLs are signed with the credentials of the process, which differ while all else is the same.
    etag = f'W/"{view.tag}-{language(event)}"'
    headers = {"ETag": etag, **poll(rendering.poll_after_s(view.report)), **localized(event)}
    if matches(event, etag):
        return without_body(304, {"Cache-Control": PRIVATE, **headers})
    return answer(rendering.photo_set(view, language(event)), headers=headers)


@router.patch("/v1/models/<model_id>/photos/<photo_id>")
def change(model_id: str, photo_id: str) -> Response[str]:
    event = router.event
    ref = model_ref(event, model_id)
    possible(PHOTO_ID, photo_id)
    wanted = validated(schemas.PhotoChange, json_object(event))
    bootstrap.change_photo()(ref, photo_id, Category(wanted.category))
    view = bootstrap.show_photo()(ref, photo_id)
    return answer(rendering.photo(view.photos[0], view, language(event)), headers=localized(event))


@router.delete("/v1/models/<model_id>/photos/<photo_id>")
def delete(model_id: str, photo_id: str) -> Response[str]:
    ref = model_ref(router.event, model_id)
    bootstrap.delete_photo()(ref, possible(PHOTO_ID, photo_id))
    return without_body(204)
