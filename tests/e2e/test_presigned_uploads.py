"""What the bucket itself refuses of a form that the API handed out: no function is asked any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local import aws
from local.state import State
from tests.e2e.own_models import MODELS, create_model, good_photos
from tests.e2e.users import Json, User, as_json, eventually

BYTES_MAX = 30_000_000


@pytest.fixture(scope="module")
def model_id(user: User) -> str:
    found: str = create_model(user)["id"]
    return found


@pytest.fixture
def form(user: User, model_id: str) -> Json:
    """The form for one photo."""
    wanted = {"files": [{"content_type": "image/jpeg"}]}
    answer = user.http.post(f"{MODELS}/{model_id}/photos", json=wanted)
    assert answer.status_code == 201, answer.text
    found: Json = as_json(answer)["photos"][0]["upload"]
    return found


def post(form: Json, data: bytes, **fields: str) -> httpx.Response:
    sent = {**form["fields"], **fields}
    return httpx.post(form["url"], data=sent, files={"file": ("p.jpg", data)}, timeout=60, trust_env=False)


def uploaded(engine_state: State, form: Json) -> bool:
    bucket = aws.client("s3", engine_state.aws_endpoint_url)
    found = bucket.list_objects_v2(Bucket=engine_state.bucket, Prefix=form["fields"]["key"])
    return bool(found.get("Contents"))


def test_a_form_says_its_limit_and_takes_a_photo(user: User, model_id: str, form: Json) -> None:
    assert form["max_bytes"] == BYTES_MAX

    assert post(form, good_photos(1)[0]).is_success

    photo_id = form["fields"]["key"].rpartition("/")[2]

    def look() -> Json:
        photos = user.get(f"{MODELS}/{model_id}/photos")["items"]
        return next(photo for photo in photos if photo["id"] == photo_id)

    seen = eventually(look, lambda photo: photo["status"] in ("accepted", "rejected"))
    assert seen["status"] == "accepted"


@pytest.mark.parametrize(("size", "code"), [(0, "EntityTooSmall"), (BYTES_MAX + 1, "EntityTooLarge")])
def test_what_is_empty_or_too_large_is_refused(engine_state: State, form: Json, size: int, code: str) -> None:
    answer = post(form, bytes(size))

    assert answer.status_code == 400
    assert code in answer.text
    assert not uploaded(engine_state, form)


def anothers_key(form: Json) -> dict[str, str]:
    return {"key": form["fields"]["key"].replace("incoming/", "incoming/somebody-", 1)}


def trained_on_key(form: Json) -> dict[str, str]:
    return {"key": form["fields"]["key"].replace("incoming/", "photos/", 1)}


def another_type(form: Json) -> dict[str, str]:
    return {"Content-Type": "image/svg+xml"}


def public(form: Json) -> dict[str, str]:
    return {"acl": "public-read"}


def forged(form: Json) -> dict[str, str]:
    return {"x-amz-signature": "0" * 64}


def stretched(form: Json) -> dict[str, str]:
    return {"policy": form["fields"]["policy"][:-4] + "AAAA"}


@pytest.mark.parametrize(
    "change",
    [anothers_key, trained_on_key, another_type, public, forged, stretched],
    ids=lambda c: c.__name__,
)
def test_a_form_that_was_changed_is_refused(
    engine_state: State, form: Json, change: Callable[[Json], dict[str, Any]]
) -> None:
    answer = post(form, b"\xff\xd8\xff", **change(form))

    assert answer.status_code == 403, answer.text
    assert not uploaded(engine_state, form)


def test_without_its_form_nothing_is_uploaded(engine_state: State, form: Json) -> None:
    key = form["fields"]["key"]

    answer = httpx.post(form["url"], data={"key": key}, files={"file": ("p.jpg", b"x")}, trust_env=False)

    assert answer.status_code == 403
    assert not uploaded(engine_state, form)
