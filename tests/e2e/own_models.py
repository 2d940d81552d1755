"""A user with models of their own: photos uploaded as a browser does it, trainings watched."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from local.photos import training_photos
from tests.e2e.users import Json, User, as_json, eventually

MODELS = "/v1/models"
ENDED = ("succeeded", "failed", "canceled")
STEPS = 500


def create_model(user: User, **fields: object) -> Json:
    body = {"name": "Me", "kind": "face", "class_word": "woman"} | fields
    consent = {"accepted": True, "text_version": "2026-11"}
    answer = user.http.post(MODELS, json={**body, "consent": consent})
    assert answer.status_code == 201, answer.text
    return as_json(answer)


def good_photos(count: int) -> list[bytes]:
    return [training_photos.jpeg(training_photos.good_photo(number)) for number in range(count)]


def upload(user: User, model_id: str, files: Sequence[bytes]) -> list[str]:
    """Upload JPEG files through the forms that the API hands out; return the photos' ids in their order."""
    wanted = {"files": [{"content_type": "image/jpeg"} for _ in files]}
    answer = user.http.post(f"{MODELS}/{model_id}/photos", json=wanted)
    assert answer.status_code == 201, answer.text
    photos = as_json(answer)["photos"]
    for photo, data in zip(photos, files, strict=True):
        post_form(photo["upload"], data).raise_for_status()
    return [photo["id"] for photo in photos]


def post_form(form: Json, data: bytes) -> httpx.Response:
    file = ("photo.jpg", data, form["fields"]["Content-Type"])
    return httpx.post(form["url"], data=form["fields"], files={"file": file}, timeout=60, trust_env=False)


def judged(user: User, model_id: str) -> dict[str, Json]:
    """Wait until every photo has its verdict; return the photos by id."""
    view = eventually(
        lambda: user.get(f"{MODELS}/{model_id}/photos"), lambda seen: seen["report"]["pending"] == 0
    )
    return {photo["id"]: photo for photo in view["items"]}


def with_photos(user: User, count: int = 5) -> str:
    """Return the id of a model that can be trained."""
    model_id: str = create_model(user)["id"]
    upload(user, model_id, good_photos(count))
    assert {photo["status"] for photo in judged(user, model_id).values()} == {"accepted"}
    return model_id


def train(user: User, model_id: str) -> Json:
    answer = user.http.post(f"{MODELS}/{model_id}/trainings", json={"steps": STEPS})
    assert answer.status_code == 202, answer.text
    return as_json(answer)


def training(user: User, model_id: str, training_id: str) -> Json:
    return user.get(f"{MODELS}/{model_id}/trainings/{training_id}")


def trained(user: User, model_id: str, training_id: str, *statuses: str) -> Json:
    """Watch a training until it is in one of `statuses`, or has ended when none is given."""
    return eventually(
        lambda: training(user, model_id, training_id),
        lambda seen: seen["status"] in (statuses or ENDED),
        ENDED,
    )
